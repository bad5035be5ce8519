/** The agents of a lab: one process in each node's namespace, started anew when it dies, as an init system would. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import { lastComplaint } from './agent-log.ts';
import { programArgs } from './caller.ts';
import type { LabDir } from './lab-dir.ts';
import { endProcesses, identify, type ProcessIdentity } from './processes.ts';

const RESTART_DELAY_MS = 500;
/**
 * For all agents of a lab to be ready: so much, and so much for each of them, since they share the machine. One that cannot run
 * is told of at once: only one that hangs is waited for so long, and a machine may be slow.
 */
const READY_MS = 90_000;
const READY_MS_EACH = 1_000;
const POLL_MS = 25;

export class LabAgents {
  private readonly dir: LabDir;
  private readonly identities = new Map<string, ProcessIdentity>();
  private readonly wereReady = new Set<string>();
  /** Agents that ended by themselves before they were ready: a configuration that cannot work, which no new start mends. */
  private readonly failed = new Set<string>();
  private readonly flags: readonly string[];
  private readonly onChange: () => void;
  private ending = false;

  /** `flags` are those of each agent; `onChange` is called whenever a process came. */
  constructor(dir: LabDir, flags: readonly string[], onChange: () => void) {
    this.dir = dir;
    this.flags = flags;
    this.onChange = onChange;
  }

  start(node: string): void {
    const root = this.dir.nodeRoot(node);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const log = openSync(this.logFile(node), 'a', 0o600);
    using namespace = openNamespace(this.dir.namespace(node));
    const args = ['agent', '--node-name', node, '--register-node', '--root-dir', root, ...this.flags];
    const child = spawnIn(
      namespace,
      process.execPath,
      [...programArgs(), ...args, '--kubeconfig', this.dir.file('kubeconfig')],
      { stdio: ['ignore', 'ignore', log] },
    );
    closeSync(log);
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity !== undefined) this.identities.set(node, identity);
    this.onChange();
    this.keepUp(node, child);
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

  /** What each agent says once it is ready. Rejects as soon as one cannot run, or some time has passed, with the agent's own reason. */
  async allReady(nodes: readonly string[], signal: AbortSignal): Promise<Map<string, AgentStatus>> {
    const deadline = performance.now() + READY_MS + nodes.length * READY_MS_EACH;
    const statuses = new Map<string, AgentStatus>();
    await Promise.all(
      nodes.map(async (node) => {
        statuses.set(node, await this.ready(node, deadline, signal));
        this.wereReady.add(node);
      }),
    );
    return statuses;
  }

  async end(): Promise<void> {
    this.ending = true;
    await endProcesses(this.processes());
  }

  private async ready(node: string, deadline: number, signal: AbortSignal): Promise<AgentStatus> {
    for (;;) {
      signal.throwIfAborted();
      const status = await this.status(node);
      if (status?.ready) return status;
      const fatal = this.failed.has(node) ? (this.complaint(node) ?? 'it said nothing') : status?.fatal;
      if (typeof fatal === 'string') throw new Error(`the agent of ${node} cannot run: ${fatal}`);
      if (performance.now() > deadline) {
        const why = status?.problems[0] ?? this.complaint(node) ?? 'it says no reason';
        throw new Error(`the agent of ${node} did not become ready: ${why}`);
      }
      await sleep(POLL_MS);
    }
  }

  private keepUp(node: string, child: ChildProcess): void {
    child.on('error', () => {}); // a process that could not be started: told by 'exit' or the missing answer
    child.once('exit', () => {
      if (this.ending) return;
      if (this.wereReady.has(node)) setTimeout(() => !this.ending && this.start(node), RESTART_DELAY_MS);
      else this.failed.add(node);
    });
  }

  private complaint(node: string): string | undefined {
    return lastComplaint(readFileSync(this.logFile(node), 'utf8'));
  }

  private logFile(node: string): string {
    return this.dir.file(`${node}.log`);
  }
}
