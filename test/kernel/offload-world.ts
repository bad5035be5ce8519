/** A private namespace with a VXLAN device of ours on a veth, for tests of checksum offload. `ethtool` has the last word. */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Link, OVERLAY } from '#core/kernel/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

export const FEATURE = 'tx-checksum-ip-generic';

export class OffloadWorld implements Disposable {
  readonly folder = new NamespaceFolder('offload');
  readonly namespace = this.folder.make('node');
  readonly path = this.namespace.path;
  readonly cacheFile = join(this.folder.path, 'run', 'offload.json');
  /** What was logged, as JSON lines. */
  readonly log: string[] = [];
  readonly logger = pino({ base: null, timestamp: false }, { write: (line: string) => this.log.push(line) });

  async addUnderlay(): Promise<void> {
    const link: Link = {
      kind: 'link',
      name: 'under0',
      detail: { type: 'veth', peer: { name: 'peer0' } },
      up: true,
    };
    await this.change('add', link);
  }

  /** Our device unless another alias is given. */
  async addVxlan(name: string, local = '192.0.2.1', alias: string = OVERLAY.alias): Promise<void> {
    await this.change('add', this.vxlan(name, local, alias));
  }

  /** The underlay becomes a port of a bridge, on which our device lies from now on. */
  async addVxlanOnBridge(name: string): Promise<void> {
    await this.change('add', { kind: 'link', name: 'br0', detail: { type: 'bridge' }, up: true });
    await this.change('add', this.vxlan(name, '192.0.2.1', OVERLAY.alias, 'br0'));
    inNamespace(this.path, 'ip', 'link', 'set', 'under0', 'master', 'br0');
  }

  async removeLink(name: string): Promise<void> {
    await this.change('remove', this.vxlan(name, '192.0.2.1', ''));
  }

  /** All features `ethtool -k` shows, by their kernel names; those it calls `off [fixed]` are left out. */
  features(link: string): Map<string, boolean> {
    const lines = this.ethtool('-k', link).split('\n').slice(1);
    // The headings of groups are ethtool's own inventions, and two old names are spelled anew.
    const names = new Map([
      ['generic-segmentation-offload', 'tx-generic-segmentation'],
      ['generic-receive-offload', 'rx-gro'],
      ['large-receive-offload', 'rx-lro'],
      ['rx-checksumming', 'rx-checksum'],
      ['rx-vlan-offload', 'rx-vlan-hw-parse'],
      ['tx-vlan-offload', 'tx-vlan-hw-insert'],
      ['ntuple-filters', 'rx-ntuple-filter'],
      ['receive-hashing', 'rx-hashing'],
    ]);
    const groups = new Set(['tx-checksumming', 'scatter-gather', 'tcp-segmentation-offload']);
    const features = new Map<string, boolean>();
    for (const line of lines) {
      const [, name, value, fixed] = /^\s*([a-z0-9_-]+): (on|off)( \[fixed\])?/.exec(line) ?? [];
      if (name === undefined || groups.has(name) || (value === 'off' && fixed !== undefined)) continue;
      features.set(names.get(name) ?? name, value === 'on');
    }
    return features;
  }

  isOn(link: string): boolean | undefined {
    return this.features(link).get(FEATURE);
  }

  ethtool(...args: string[]): string {
    return inNamespace(this.path, 'ethtool', ...args);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }

  private vxlan(name: string, local: string, alias: string, underlay = 'under0'): Link {
    const vni = Number(name.split('.')[1]);
    const detail = { type: 'vxlan', vni, port: 8472, local, underlay, learning: false } as const;
    return { kind: 'link', name, detail, alias, up: true };
  }

  private async change(verb: 'add' | 'remove', object: Link): Promise<void> {
    // One kernel for each change: it would remember the names of links that went.
    using kernel = PodKernel.open(this.path);
    const [failure] = await kernel.apply([{ verb, object }]);
    if (failure !== undefined) throw new Error(failure.message);
  }
}

/** What keeps namespaces alive in this process: handles on them, and sockets that live there. */
export function openHandles(): { readonly namespaces: number; readonly sockets: number } {
  const targets = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the descriptor of this very listing
    }
  });
  const count = (start: string) => targets.filter((target) => target.startsWith(start)).length;
  return { namespaces: count('net:['), sockets: count('socket:[') };
}

/** The names of the links in this process's own namespace. */
export function ownLinks(): string[] {
  return readdirSync('/sys/class/net');
}
