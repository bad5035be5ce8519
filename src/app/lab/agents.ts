/** The agents of a lab: one process in each node's namespace, started anew when it dies, as an init system would. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import type { LabDir } from './lab-dir.ts';
import { endProcesses, identify, type ProcessIdentity } from './processes.ts';

const RESTART_DELAY_MS = 500;
const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 25;

export class LabAgents {
  private readonly dir: LabDir;
  private readonly children = new Map<string, ChildProcess>();
  private readonly identities = new Map<string, ProcessIdentity>();
  private readonly onChange: () => void;
  private ending = false;

  /** `onChange` is called whenever a process came. */
  constructor(dir: LabDir, onChange: () => void) {
    this.dir = dir;
    this.onChange = onChange;
  }

  start(node: string): void {
    const root = this.dir.nodeRoot(node);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const log = openSync(this.dir.file(`${node}.log`), 'a', 0o600);
    using namespace = openNamespace(this.dir.namespace(node));
    const args = ['agent', '--node-name', node, '--register-node', '--root-dir', root];
    const child = spawnIn(
      namespace,
      process.execPath,
      [...programArgs(), ...args, '--kubeconfig', this.dir.file('kubeconfig')],
      { stdio: ['ignore', 'ignore', log] },
    );
    closeSync(log);
    this.children.set(node, child);
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity !== undefined) this.identities.set(node, identity);
    this.onChange();
    child.on('error', () => {});
    child.once('exit', () => {
      if (this.ending) return;
      setTimeout(() => !this.ending && this.start(node), RESTART_DELAY_MS);
    });
  }

  processes(): ProcessIdentity[] {
    return [...this.identities.values()];
  }

  async status(node: string): Promise<AgentStatus | undefined> {
    try {
      return await fetchStatus(agentPaths(this.dir.nodeRoot(node)).statusSocket);
    } catch {
      return undefined;
    }
  }

  /** Rejects after 30 s with what the agent last said of itself. */
  async ready(node: string): Promise<AgentStatus> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const status = await this.status(node);
      if (status?.ready) return status;
      if (Date.now() > deadline) {
        const why =
          status === undefined ? 'it does not answer' : status.problems.join('; ') || 'it is not ready';
        throw new Error(
          `agent of ${node}: ${why} after ${READY_TIMEOUT_MS / 1000} s: see ${this.dir.file(`${node}.log`)}`,
        );
      }
      await sleep(POLL_MS);
    }
  }

  async end(): Promise<void> {
    this.ending = true;
    await endProcesses(this.processes());
  }
}

/** How this program was started: the bundle or the source, before its own arguments. */
export function programArgs(): string[] {
  return [process.argv[1] as string];
}
