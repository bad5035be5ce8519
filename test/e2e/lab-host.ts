/**
 * A host of its own for a test: mount, network and process namespaces with an empty /run and /tmp, in which nothing of the machine
 * is in the way and whatever stays behind is seen. All processes in it end with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../..');
/** Where the host finds the checkout, which may lie where the host's own /tmp is, or in a folder that only root may enter. */
const TREE = '/run/tree';
const TREE_FOLDERS = ['dist', 'lab', 'node_modules'] as const;
/** The path by which the host finds a file of the checkout. */
export const inTree = (path: string) => (path.startsWith(ROOT) ? join(TREE, relative(ROOT, path)) : path);
export const POPLIN = [inTree(realpathSync(process.execPath)), join(TREE, 'dist/poplin.mjs')] as const;
/** On the host; the machine has them in lab/topologies. */
export const TOPOLOGIES = join(TREE, 'lab/topologies');
export const TOPOLOGY_FILES = readdirSync(join(ROOT, 'lab/topologies')).toSorted();
const NOBODY = 65534;
const PREPARE = [
  // The machine's own namespaces are not this host's, nor those that other tests hold.
  "grep ' - nsfs ' /proc/self/mountinfo | cut -d' ' -f5 | xargs -r umount -l 2>/dev/null",
  'umount -l /run/netns 2>/dev/null',
  'mount -t tmpfs -o mode=755 tmpfs /run',
  ...TREE_FOLDERS.map(
    (folder) => `mkdir -p ${TREE}/${folder} && mount --bind "$ROOT/${folder}" ${TREE}/${folder}`,
  ),
  'mount -t tmpfs -o mode=1777 tmpfs /tmp && ip link set lo up && echo ready && exec cat',
].join('\n');
const LISTING = [
  'find /run /tmp -xdev 2>/dev/null | sort; find /var/lib/poplin /var/lib/cni /etc/cni /opt/cni 2>/dev/null | sort',
  'cut -d" " -f4-6 /proc/self/mountinfo | sort',
  'ip -o link; ip -o address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule; nft list ruleset',
].join('\n');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** As an ordinary user, not as root. */
  readonly ordinary?: boolean;
  readonly input?: string;
}

export class PrivateHost implements AsyncDisposable {
  private readonly holder: ChildProcess;
  /** The host's first process, as the machine numbers it. */
  private readonly pid: number;

  private constructor(holder: ChildProcess, pid: number) {
    this.holder = holder;
    this.pid = pid;
  }

  static async open(): Promise<PrivateHost> {
    const args = [
      '--mount',
      '--net',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--',
      'sh',
      '-c',
      PREPARE,
    ];
    const holder = spawn('unshare', args, {
      env: { ...process.env, ROOT },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: holder.stdout as NodeJS.ReadableStream });
    const [line] = (await Promise.race([once(lines, 'line'), once(holder, 'exit')])) as [unknown];
    if (line !== 'ready') throw new Error(`no private host: unshare ended with ${String(line)}`);
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8');
    return new PrivateHost(holder, Number(children.trim()));
  }

  /** Runs a command to its end. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.start(command, options).ended;
  }

  poplin(...args: readonly string[]): Promise<Outcome> {
    return this.run([...POPLIN, ...args]);
  }

  /** Starts a command, to be looked at and signalled while it runs. */
  start(command: readonly string[], { ordinary = false, input }: RunOptions = {}): RunningCommand {
    const user = ordinary ? [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : ['--reuid=0'];
    const child = spawn(
      'nsenter',
      [`--target=${this.pid}`, '--mount', '--net', '--pid', '--', 'setpriv', ...user, '--', ...command],
      { cwd: '/', env: environment(), stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] },
    );
    child.stdin?.end(input);
    return new RunningCommand(child);
  }

  /** Folders, mounts, links, addresses, routes, rules and tables, as others than Poplin list them. */
  async state(): Promise<string> {
    const { stdout } = await this.run(['sh', '-c', LISTING]);
    return stdout;
  }

  /** Command lines of the processes on this host that run this tree's program. */
  processes(): string[] {
    return this.pids().flatMap((pid) => {
      const command = readCommand(pid);
      return command?.includes('poplin.mjs') ? [command.replaceAll('\0', ' ').trim()] : [];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.holder, 'exit');
    this.holder.kill('SIGKILL');
    await ended;
  }

  private pids(): string[] {
    const own = namespaceOf(String(this.pid));
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && namespaceOf(name) === own);
  }
}

export class RunningCommand {
  readonly ended: Promise<Outcome>;
  private readonly child: ChildProcess;
  private stdout = '';
  private stderr = '';
  private isEnded = false;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(child, 'close').then(([code]) => {
      this.isEnded = true;
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Waits until the output holds the text; rejects with the output if the command ends without. */
  async says(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.isEnded) throw new Error(`ended without saying "${text}":\n${this.output}`);
      await sleep(5);
    }
  }

  /** Signals the command itself, which nsenter waits for. */
  signal(name: NodeJS.Signals): void {
    const { pid } = this.child;
    const [inner] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    process.kill(Number(inner), name);
  }
}

/** Waits for a condition; rejects after a while with what it was. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still not so: ${what}`);
    await sleep(20);
  }
}

function environment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, SUDO_USER: __, ...rest } = process.env;
  return { ...rest, HOME: '/tmp' };
}

function namespaceOf(pid: string): string | undefined {
  // A process of a lab without root lives in a process namespace of the host all the same.
  return readLink(`/proc/${pid}/ns/pid_for_children`);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function readCommand(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return undefined;
  }
}
