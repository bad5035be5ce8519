/** A link that BGP speakers share: namespaces of a test's own, each with an address of either family, on one bridge. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { vi } from 'vitest';
import type { Namespace } from '#io/namespace/index.ts';
import { NamespaceFolder } from '../../kernel/namespace-folder.ts';

/** A place on the link. */
export interface LanNode {
  readonly name: string;
  readonly namespace: Namespace;
  /** 10.77.0.N and fd00:77::N, N from 1 in the order the nodes were named. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** All is gone when it is disposed of; processes in it are to end before. */
export class BgpLan implements Disposable {
  /** For files, readable by all: some speakers give their rights away. */
  readonly folder: string;
  readonly #namespaces: NamespaceFolder;
  readonly #switch: Namespace;
  readonly #nodes = new Map<string, LanNode>();

  constructor(...names: readonly string[]) {
    this.#namespaces = new NamespaceFolder('bgp');
    this.folder = this.#namespaces.path;
    chmodSync(this.folder, 0o755);
    this.#switch = this.#namespaces.make('switch');
    try {
      this.#ip(this.#switch, 'link add br0 type bridge', 'link set br0 up');
      names.forEach((name, at) => this.#addNode(name, at + 1));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  node(name: string): LanNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new RangeError(`no node is named "${name}"`);
    return node;
  }

  /** Nothing passes to or from the node any more, though its link stays up. */
  cut(name: string): void {
    this.#ip(this.#switch, `link set ${name} nomaster`);
  }

  mend(name: string): void {
    this.#ip(this.#switch, `link set ${name} master br0`);
  }

  /** Runs a command in a node's namespace; what it printed. */
  run(name: string, command: string, ...args: readonly string[]): string {
    const { path } = this.node(name).namespace;
    return execFileSync('nsenter', [`--net=${path}`, command, ...args], { encoding: 'utf8' });
  }

  /** Runs `ip` in a node's namespace; what it printed. */
  ip(name: string, ...commands: readonly string[]): string {
    return this.#ip(this.node(name).namespace, ...commands);
  }

  /** A node's link-local address, as soon as it is known that nobody else has it. */
  linkLocal(name: string, link = 'eth0'): Promise<string> {
    return vi.waitFor(() => this.#linkLocal(name, link), { timeout: 10_000, interval: 50 });
  }

  #linkLocal(name: string, link: string): string {
    const text = this.ip(name, `-6 -o address show dev ${link} scope link -tentative`);
    const [, address] = / (fe80::[\da-f:]+)\//.exec(text) ?? [];
    if (address === undefined) throw new Error(`node ${name} has no link-local address: ${text}`);
    return address;
  }

  /** How many connections of BGP a node has that are up, whoever made them. */
  connections(name: string): number {
    const ports = ['sport', '=', ':179', 'or', 'dport', '=', ':179'];
    const out = this.run(name, 'ss', '-Htn', 'state', 'established', ...ports);
    return out.trim().split('\n').filter(Boolean).length;
  }

  [Symbol.dispose](): void {
    this.#namespaces[Symbol.dispose]();
  }

  #addNode(name: string, number: number): void {
    const namespace = this.#namespaces.make(name);
    const node = { name, namespace, ipv4: `10.77.0.${number}`, ipv6: `fd00:77::${number}` };
    this.#nodes.set(name, node);
    this.#ip(
      this.#switch,
      `link add ${name} type veth peer name eth0 netns ${namespace.path}`,
      `link set ${name} master br0 up`,
    );
    this.#ip(
      namespace,
      'link set lo up',
      `address add ${node.ipv4}/24 dev eth0`,
      `address add ${node.ipv6}/64 dev eth0 nodad`,
      'link set eth0 up',
    );
  }

  #ip(namespace: Namespace, ...commands: readonly string[]): string {
    return commands
      .map((command) =>
        execFileSync('nsenter', [`--net=${namespace.path}`, 'ip', ...command.split(' ')], {
          encoding: 'utf8',
        }),
      )
      .join('');
  }
}
