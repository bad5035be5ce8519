/**
 * Keeps a long-lived process as small as what it holds. V8 keeps the memory that a burst once needed (the first list of thousands of
 * leases, say) until the next one; an agent is idle nearly always and shares its machine, so it gives such memory back when it is quiet.
 */
import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nativeAddon } from '#io/native/index.ts';

/** How often is looked. */
const PERIOD_MS = 2000;
/** Less than this is not worth the pause, of about 3 ms for each MB that is held. */
const WORTH_BYTES = 8 * 2 ** 20;
/** The part of a period an idle process is busy at most, and for how many periods in a row before its heap is given back. */
const IDLE_UTILIZATION = 0.03;
const IDLE_PERIODS = 2;
/** More than this is given back as soon as there is a pause. */
const MUCH_BYTES = 32 * 2 ** 20;
const PAUSE_UTILIZATION = 0.2;

type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

let collect: Collect | undefined;

/** What a program is started with to stay small; V8 takes these at the start only. */
export const SMALL_FLAGS = {
  /**
   * Each of V8's threads keeps some megabytes of malloc's, long after there is nothing left to compile or to collect. One does, beside the
   * main thread, which would wait for compilation without it.
   */
  oneThread: ['--v8-pool-size=1'],
  /**
   * Nothing beside the main thread, which compiles and collects itself: 7 MB less in a first burst. The main thread waits meanwhile, so
   * what is used much is compiled once, at its best: the code of the tiers between is 3 MB, and saves no time that could be measured.
   */
  noThread: ['--v8-pool-size=1', '--single-threaded', '--no-sparkplug', '--no-maglev'],
} as const;

/**
 * Starts this program anew in the same process (execve) with flags that keep it small, unless it has them; to be called before anything
 * else is done. `args`: other arguments for the new start. Costs 20 ms once. Where Node has no execve, the process stays as it is.
 */
export function restartSmall(
  flags: readonly string[] = SMALL_FLAGS.oneThread,
  args: readonly string[] = process.argv.slice(2),
): void {
  const { argv, env, execArgv, execPath } = process;
  if (flags.every((flag) => execArgv.includes(flag))) return;
  const [, program = ''] = argv;
  process.execve?.(execPath, [execPath, ...execArgv, ...flags, program, ...args], env);
}

/**
 * From now on the heap grows no further than it must, and is given back when it has grown and the process is idle. Giving back throws
 * compiled code away, and what comes next takes twice as long: so whoever is still at work is left alone, up to a limit. For the process
 * as a whole: disposing ends the looking, not the limit on growth. Does not keep the process alive.
 */
export function keepHeapSmall(periodMs = PERIOD_MS): Disposable {
  // The space for new objects would grow to 32 MB in the first burst, and stay.
  setFlagsFromString('--semi-space-growth-factor=1');
  // While old objects are marked new ones would not be collected at all: in a burst that is 12 MB, which V8 then keeps as spare pages.
  setFlagsFromString('--no-separate-gc-phases');
  // A heap of some megabytes is marked again each time it grows by a third: for nothing in a burst, which keeps all it makes.
  setFlagsFromString('--heap-growing-percent=100');
  let settledBytes = heapBytes();
  let before: EventLoopUtilization = performance.eventLoopUtilization();
  let idlePeriods = 0;
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    idlePeriods = utilization > IDLE_UTILIZATION ? 0 : idlePeriods + 1;
    const grownBytes = heapBytes() - settledBytes;
    const isIdle = idlePeriods >= IDLE_PERIODS && grownBytes >= WORTH_BYTES;
    if (!isIdle && (utilization > PAUSE_UTILIZATION || grownBytes < MUCH_BYTES)) return;
    releaseHeap();
    settledBytes = heapBytes();
  }, periodMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Frees what is not reachable and returns the pages to the system; blocks for some tens of milliseconds. */
export function releaseHeap(): void {
  if (collect === undefined) {
    // The function exists in contexts made after the flag was set.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as Collect;
  }
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  nativeAddon().trimMemory();
}

/** For whoever keeps large columns that grow: what they leave behind goes back to the system at once, and makes no holes among smaller blocks. */
export function mapLargeBlocks(): void {
  nativeAddon().mapLargeBlocks();
}

/**
 * Lets go of those pages of Node itself that only the start needed, about 30 MB of what is mapped of its file; what runs on takes back what
 * it needs, from the page cache and without the disk. The system may have them as soon as no other process maps them either.
 */
export function releaseProgram(): void {
  nativeAddon().releaseProgram();
}

/** What V8 has taken from the system for its heap. */
function heapBytes(): number {
  return getHeapStatistics().total_physical_size;
}
