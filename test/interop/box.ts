/**
 * A machine within the machine, for software that wants a whole one: network, process and mount namespaces of its own. /run, /opt and
 * /var/lib are empty there, and what is written to /etc stays there. Its first process reads a pipe from us: when we dispose of the
 * box, or die, every process in it dies, and its mounts and links go with the last.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { ROOT } from '../../tools/command.ts';

/** The checkout is put back where it was, should it lie in a folder that is now empty: the working directory still leads to it. */
const FIRST_PROCESS = `
# Namespaces that other tests hold would live as long as the box.
grep ' - nsfs ' /proc/self/mountinfo | cut -d' ' -f5 | xargs -r umount -l 2>/dev/null
set -e
for folder in /run /opt /var/lib; do mount -t tmpfs tmpfs $folder; done
mkdir -p /run/poplin-box/etc /run/poplin-box/work /run/netns
mount -t overlay -o lowerdir=/etc,upperdir=/run/poplin-box/etc,workdir=/run/poplin-box/work overlay /etc
if [ ! -d "$1" ]; then mkdir -p "$1"; mount --no-canonicalize --bind . "$1"; fi
ip link set lo up
echo ready
exec cat`;

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Box implements AsyncDisposable {
  private readonly outer: ChildProcess;
  private readonly exited: Promise<unknown>;
  /** The box's first process, as the machine numbers it. */
  private readonly pid: number;

  private constructor(outer: ChildProcess, exited: Promise<unknown>, pid: number) {
    this.outer = outer;
    this.exited = exited;
    this.pid = pid;
  }

  static async open(): Promise<Box> {
    const flags = ['--net', '--mount', '--pid', '--fork', '--mount-proc'];
    const outer = spawn('unshare', [...flags, 'sh', '-c', FIRST_PROCESS, 'sh', ROOT], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const exited = once(outer, 'exit');
    let complaint = '';
    outer.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    await Promise.race([once(outer.stdout, 'data'), exited]);
    const children = outer.exitCode === null ? childrenOf(outer.pid) : [];
    if (children[0] === undefined) throw new Error(`a box could not be made: ${complaint.trim()}`);
    return new Box(outer, exited, children[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.outer.stdin?.end();
    await this.exited;
  }

  /** Where a file of the box is seen from outside. */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** Starts a process in the box; its working directory is `/`. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const enter = ['--target', String(this.pid), '--net', '--mount', '--pid', '--', command, ...args];
    return spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  }

  /** Runs a process in the box to its end. */
  async try(command: string, ...args: readonly string[]): Promise<Output> {
    const child = this.spawn(command, args);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        output[name] += text;
      });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? -1, ...output };
  }

  /** Runs a process in the box; what it printed. Rejects with its complaint if it fails. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(command, ...args);
    if (code === 0) return stdout;
    throw new Error(`${[command, ...args].join(' ')}: status ${code}: ${stderr.trim()} ${stdout.trim()}`);
  }

  /** Runs a shell command line in the box. */
  sh(commandLine: string): Promise<string> {
    return this.run('sh', '-ec', commandLine);
  }

  /** Names of the processes that live in the box, but for its first and the one that lists them. */
  async processes(): Promise<string[]> {
    const text = await this.run('ps', '-e', '-o', 'pid=,stat=,comm=');
    return text.split('\n').flatMap((line) => {
      const [pid, state = 'Z', name = ''] = line.trim().split(/\s+/);
      return pid === '1' || state.startsWith('Z') || name === 'ps' ? [] : [name];
    });
  }
}

function childrenOf(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
