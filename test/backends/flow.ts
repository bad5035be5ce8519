/** Pings at a steady pace from a namespace, and what became of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../e2e/agent-world.ts';
import { IS_VIRTUAL } from '../kernel/virtual.ts';

export interface FlowCount {
  readonly sent: number;
  readonly lost: number;
}

/** How long an answer may take when the flow is to end; then what was sent is lost. */
const PATIENCE_MS = 2_000;
/** Of the numbers in ICMP. */
const SEQUENCES = 1 << 16;

/** An emulated processor has better to do than to ping. */
const INTERVAL_SEC = IS_VIRTUAL ? 0.05 : 0.01;

/** A packet every 10 ms, in the virtual machine 50, from its making until `end` or `kill`. */
export class Flow {
  private readonly folder = mkdtempSync(join(tmpdir(), 'poplin-flow-'));
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(netns: string, address: string) {
    // A file, and not a pipe: nobody holds ping up by not reading.
    const log = openSync(join(this.folder, 'log'), 'w');
    const args = [`--net=${netns}`, 'ping', '-n', `-i${INTERVAL_SEC}`, '-W1', address];
    this.child = spawn('nsenter', args, { stdio: ['ignore', log, 'inherit'] });
    closeSync(log);
    this.ended = once(this.child, 'exit');
  }

  /** Waits for one answer more, and counts up to the last one: those behind it are on their way. */
  async end(): Promise<FlowCount> {
    const before = this.answers().received;
    await until('an answer more', () => this.answers().received > before, PATIENCE_MS).catch(() => undefined);
    this.child.kill('SIGINT');
    await this.ended;
    const { received, last, transmitted } = this.answers();
    this.remove();
    const sent = received > before ? last : transmitted;
    return { sent, lost: sent - received };
  }

  /** Ends it without a count; harmless behind `end`. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    this.remove();
  }

  private answers(): { received: number; last: number; transmitted: number } {
    const text = readFileSync(join(this.folder, 'log'), 'utf8');
    let [received, last, earlier] = [0, 0, 0];
    for (const [, number = ''] of text.matchAll(/ icmp_seq=(\d+) ttl=.*(?<!\(DUP!\))$/gm)) {
      received++;
      if (Number(number) + earlier < last - SEQUENCES / 2) earlier += SEQUENCES;
      last = Math.max(last, Number(number) + earlier);
    }
    const [, transmitted = '0'] = /^(\d+) packets transmitted/m.exec(text) ?? [];
    return { received, last, transmitted: Number(transmitted) };
  }

  private remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
