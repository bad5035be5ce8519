/**
 * A plain container host: a box with an uplink to a neighbour outside, Poplin's agent, and the plugins on disk, ours and Debian's side
 * by side. What Poplin does not serve is Debian's.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { type ExecPlugin, PLUGIN_TYPES } from '#core/cni/index.ts';
import { createExecPlugin } from '#io/cni/exec/index.ts';
import { PROGRAM, until } from '../e2e/agent-world.ts';
import { Box } from './box.ts';

/** Addresses of the host's uplink. */
export const HOST = { 4: '192.168.80.1', 6: 'fd80::1' } as const;
/** Addresses of the neighbour, whose only way to pods is through the host. */
export const OUTSIDE = { 4: '192.168.80.2', 6: 'fd80::2' } as const;
/** Where Debian has the reference plugins. */
const REFERENCE_PLUGINS = '/usr/lib/cni';
const BUSY_TRIES = 100;
const BUSY_MS = 50;
const CGROUPS = '/sys/fs/cgroup';
const CLIENT = join(PROGRAM, '..', 'poplin-cni');

/** A plugin that changes nothing and writes down what it was called with. */
const WITNESS = `#!/usr/bin/python3
import json, os, sys
config = json.load(sys.stdin)
with open(os.path.dirname(os.path.realpath(__file__)) + '/calls', 'a') as calls:
    calls.write(json.dumps({'environment': dict(os.environ), 'config': config}) + '\\n')
if os.environ['CNI_COMMAND'] == 'ADD': print(json.dumps(config['prevResult']))
`;

/** One call of the plugin "witness". */
export interface WitnessedCall {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The reference plugins that are installed. */
export const REFERENCE_TYPES: readonly string[] = readdirSync(REFERENCE_PLUGINS).sort();

export class ContainerHost implements AsyncDisposable {
  readonly box: Box;
  /** The neighbour's network namespace, as the box names it. */
  readonly outside = '/run/netns/outside';
  /** Runs plugins in the box, as a runtime there would. */
  readonly exec: ExecPlugin;
  /** A folder that the box and the test see under the same name. */
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-containers-'));
  /** A parent for control groups; whatever is below it goes with the host. */
  readonly cgroup = `/${basename(this.folder)}`;
  /** CNI_PATH where nothing else is said: what Poplin serves is Poplin's. */
  readonly plugins: string;
  private readonly pods = new Set<string>();
  private pluginFolders = 0;
  private agent: ChildProcess | undefined;

  private constructor(box: Box) {
    this.box = box;
    writeFileSync(join(this.folder, 'witness'), WITNESS, { mode: 0o755 });
    this.plugins = this.pluginFolder(PLUGIN_TYPES);
    this.exec = createExecPlugin({ spawn: (command, args, options) => box.spawn(command, args, options) });
  }

  /** A host with all plugins in /opt/cni/bin and no network configured. */
  static async open(): Promise<ContainerHost> {
    const host = new ContainerHost(await Box.open());
    try {
      // Nobody else is there to have taken an address: links are usable at once.
      await host.box.sh(`
        echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
        ip netns add outside
        ip link add uplink type veth peer name uplink netns outside
        ip address add ${HOST[4]}/24 dev uplink
        ip address add ${HOST[6]}/64 dev uplink nodad
        ip link set uplink up
        ip -n outside link set lo up
        ip -n outside address add ${OUTSIDE[4]}/24 dev uplink
        ip -n outside address add ${OUTSIDE[6]}/64 dev uplink nodad
        ip -n outside link set uplink up
        ip -n outside route add default via ${HOST[4]}
        ip -n outside -6 route add default via ${HOST[6]}
        rm -rf /etc/cni/net.d
        mkdir -p /etc/cni/net.d /opt/cni
        ln -s ${host.plugins} /opt/cni/bin`);
      await host.startAgent();
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.box[Symbol.asyncDispose]();
    removeCgroup(this.cgroup);
    rmSync(this.folder, { recursive: true });
  }

  /** A folder for CNI_PATH in which these plugins are Poplin's and all others Debian's; there is a plugin "witness" too. */
  pluginFolder(ours: readonly string[]): string {
    const folder = join(this.folder, `plugins-${this.pluginFolders++}`);
    mkdirSync(folder);
    symlinkSync('../witness', join(folder, 'witness'));
    for (const type of ours) symlinkSync(CLIENT, join(folder, type));
    for (const type of REFERENCE_TYPES)
      if (!ours.includes(type)) symlinkSync(join(REFERENCE_PLUGINS, type), join(folder, type));
    return folder;
  }

  /** The calls of the plugin "witness", the oldest first. */
  witnessed(): WitnessedCall[] {
    const path = join(this.folder, 'calls');
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as WitnessedCall);
  }

  /** Makes a network namespace for a pod; its path. */
  async addPod(name: string): Promise<string> {
    await this.box.sh(`
      ip netns add ${name}
      nsenter --net=${podNetns(name)} sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'`);
    this.pods.add(name);
    return podNetns(name);
  }

  async removePod(name: string): Promise<void> {
    await this.box.run('ip', 'netns', 'delete', name);
    this.pods.delete(name);
  }

  /** Removes the namespaces of all pods. */
  async removePods(): Promise<void> {
    for (const name of this.pods) await this.removePod(name);
  }

  /** Writes a file in the box. */
  writeFile(path: string, text: string): void {
    writeFileSync(this.box.path(path), text);
  }

  /** The links, routes and rules of a pod. */
  podState(name: string): Promise<string> {
    const commands = ['-br link', '-4 route show', '-6 route show', '-4 rule', '-6 rule'];
    return this.box.sh(commands.map((command) => `ip -n ${name} ${command}`).join('\n'));
  }

  /** All that plugins may change in the host, but for what the kernel makes and changes by itself; and the files they keep. */
  async state(): Promise<string> {
    const text = await this.box.sh(`
      while ip -6 address show tentative | grep -q inet6; do sleep 0.1; done
      ip -o link; ip -o address
      ip -4 route show table all; ip -6 route show table all; ip -4 rule; ip -6 rule
      ip neigh show nud permanent
      for link in $(ls /proc/sys/net/ipv4/conf); do tc qdisc show dev $link 2>/dev/null || true; done
      nft -s list ruleset
      find /var/lib/cni /run/cni /var/lib/poplin -type f 2>/dev/null | sort`);
    return text
      .replaceAll(/^\d+: /gm, '')
      .replaceAll(/@if\d+|NO-CARRIER,|,LOWER_UP|state \w+|link-netnsid \d+|linkdown/g, '')
      .split('\n')
      .map((line) => line.trimEnd())
      .filter((line) => !/fe80:(?!:1[ /])|ff00::|^anycast |last_reserved_ip|\/lock$/.test(line))
      .join('\n');
  }

  /** Starts the agent; resolves when it serves. */
  async startAgent(): Promise<void> {
    const log = process.env['POPLIN_TEST_LOG'] === undefined ? 'ignore' : 'inherit';
    const args = [PROGRAM, 'agent', '--cni-only', '--node-name', 'host'];
    this.agent = this.box.spawn(process.execPath, args, { stdio: ['ignore', 'ignore', log] });
    const exited = once(this.agent, 'exit').then(() => Promise.reject(new Error('the agent did not start')));
    exited.catch(() => {});
    const ready = until('the agent serves', async () => (await this.agentStatus())?.ready === true);
    await Promise.race([ready, exited]);
  }

  /** Ends the agent and waits for its end. */
  async stopAgent(): Promise<void> {
    const { agent } = this;
    const status = await this.agentStatus();
    if (agent === undefined || status === undefined) throw new Error('no agent runs');
    const exited = once(agent, 'exit');
    await this.box.run('kill', '-TERM', String(status.pid));
    await exited;
  }

  private agentStatus(): Promise<AgentStatus | undefined> {
    return fetchStatus(this.box.path(agentPaths('/').statusSocket)).catch(() => undefined);
  }
}

/** Where addPod() puts a namespace. */
export function podNetns(name: string): string {
  return `/run/netns/${name}`;
}

/** Takes a control group out of all hierarchies; nothing may run in it. */
export function removeCgroup(name: string): void {
  for (const hierarchy of readdirSync(CGROUPS)) removeCgroups(join(CGROUPS, hierarchy, name));
}

function removeCgroups(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroups(join(path, entry.name));
  // What ran in it may be a moment from being gone.
  for (let again = 0; ; again++) {
    try {
      return rmdirSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || again === BUSY_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
    }
  }
}
