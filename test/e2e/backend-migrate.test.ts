/**
 * docs/migrate-from-flannel.md, walked as it stands: three hosts of flannel's are moved one by one, one goes back and comes again, by the commands of
 * that page, while pods that stay ping each other. flannel is what backend-flannel.ts has of it, or the flanneld that POPLIN_FLANNELD names.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Flow, type FlowCount } from '../backends/flow.ts';
import { Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';
import {
  addressIn,
  DEVICES,
  etcdLeases,
  FAMILIES,
  type FlannelBackend,
  type FlannelRegistry,
  flannelCommands,
  flannelEnv,
  NETWORKS,
  nodeLeases,
  subnetOf,
} from './backend-flannel.ts';
import { MovingHost } from './backend-host.ts';
import { Etcd } from './station-etcd.ts';

const PAGE = readFileSync(new URL('../../docs/migrate-from-flannel.md', import.meta.url), 'utf8');
const NODES = [1, 2, 3] as const;
const FLANNELD = process.env['POPLIN_FLANNELD'];
/** On their way when a way is replaced by another, or when ping is ended. */
const MOST_LOST = 3;

interface Cell {
  readonly backend: FlannelBackend;
  readonly registry: 'etcd' | 'Nodes';
}

const CELLS: readonly Cell[] = [
  { backend: 'vxlan', registry: 'etcd' },
  { backend: 'vxlan', registry: 'Nodes' },
  { backend: 'host-gw', registry: 'etcd' },
];

/** The commands below a heading of the page, without their remarks. */
function commandsOf(heading: string): string[] {
  const [, section = ''] = PAGE.split(`\n## ${heading}\n`);
  const [, block = ''] = /```\n([^`]*)```/.exec(section) ?? [];
  const lines = block.split('\n').map((line) => line.replace(/ +#.*/, ''));
  expect(lines.filter(Boolean).length, heading).toBeGreaterThan(1);
  return lines.filter(Boolean);
}

const macOf = (host: MovingHost, family: 4 | 6) =>
  /link\/ether (\S+)/.exec(host.sh(`ip link show ${DEVICES[family]}`))?.[1];

class Walk implements AsyncDisposable {
  readonly cell: Cell;
  readonly station: Station;
  readonly hosts: MovingHost[] = [];
  readonly lost: FlowCount[] = [];
  private readonly resources: AsyncDisposableStack;
  private readonly leases: FlannelRegistry;
  /** Those flannel's devices had, by family. */
  private readonly macs = new Map<MovingHost, readonly (string | undefined)[]>();

  private constructor(
    cell: Cell,
    station: Station,
    resources: AsyncDisposableStack,
    leases: FlannelRegistry,
  ) {
    this.cell = cell;
    this.station = station;
    this.resources = resources;
    this.leases = leases;
  }

  static async begin(cell: Cell): Promise<Walk> {
    await using resources = new AsyncDisposableStack();
    const netConf = JSON.stringify({
      Network: NETWORKS[4],
      EnableIPv6: true,
      IPv6Network: NETWORKS[6],
      Backend: { Type: cell.backend },
    });
    const station = resources.use(await Station.open(netConf));
    let leases = nodeLeases(station, cell.backend);
    if (cell.registry === 'etcd') {
      const etcd = resources.use(await Etcd.start(station));
      etcd.ctl('put', '/coreos.com/network/config', netConf);
      leases = etcdLeases(etcd, cell.backend);
    } else await until('Nodes are served', () => station.api('GET', '/api/v1/nodes') !== undefined);
    const hosts: MovingHost[] = [];
    for (const number of NODES) hosts.push(resources.use(await MovingHost.open(station, number)));
    const walk = new Walk(cell, station, resources.move(), leases);
    walk.hosts.push(...hosts);
    return walk;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources.disposeAsync();
  }

  async startFlannel(host: MovingHost): Promise<void> {
    const { backend, registry } = this.cell;
    const others = NODES.filter((number) => number !== host.number);
    // flanneld itself finds its first lease, and writes by itself afterwards.
    if (FLANNELD === undefined || !this.macs.has(host)) this.leases.write(host.number);
    if (FLANNELD === undefined) host.sh(`set -e\n${flannelCommands(backend, host.number, others)}`);
    else host.start(FLANNELD, [...this.flags(registry === 'etcd' ? [] : ['-kube-subnet-mgr']), '-ip-masq']);
    const ours = FAMILIES.map((family) => addressIn(family, host.number, 1));
    await host.until('subnet.env is there', () => {
      const env = host.sh('cat /run/flannel/subnet.env');
      return ours.every((address) => env.includes(`SUBNET=${address}/`));
    });
  }

  /** Its routes to those others that are there. */
  private async expectRoutes(host: MovingHost): Promise<void> {
    const subnets = NODES.filter((number) => number !== host.number).flatMap((other) =>
      FAMILIES.map((family) => subnetOf(family, other)),
    );
    await host.until('flannel has its routes', () => {
      // A route of host-gw that is there stays as it is, Poplin's too.
      const whose = this.cell.backend === 'vxlan' ? 'proto boot' : '';
      const routes = host.sh(`ip route show ${whose}; ip -6 route show ${whose}`);
      return subnets.every((subnet) => routes.includes(subnet));
    });
  }

  private flags(more: readonly string[] = []): readonly string[] {
    const { station, cell } = this;
    if (cell.registry === 'etcd') return [...more, `-etcd-endpoints=${Etcd.URL}`];
    const [kubeconfig, netConf] = [station.file('kubeconfig'), station.file('net-conf.json')];
    return [...more, `-kubeconfig-file=${kubeconfig}`, `-net-config-path=${netConf}`];
  }

  /** Every pod reaches every other, and what is outside of the network as its host. */
  async expectReach(): Promise<void> {
    const pings = (from: MovingHost, address: string) => {
      try {
        return inNetns(from.pod, 'ping', '-c1', '-W1', address).includes(' 0% packet loss');
      } catch {
        return false;
      }
    };
    for (const from of this.hosts) {
      for (const to of this.hosts)
        for (const family of FAMILIES) {
          const address = addressIn(family, to.number, 5);
          if (from !== to) await until(`${from.name} reaches ${address}`, () => pings(from, address));
        }
      await until(`${from.name} reaches what is outside`, () => pings(from, '192.168.60.1'));
    }
  }

  /** Carries it out while all pods ping each other. */
  async meanwhile(work: () => unknown): Promise<void> {
    const flows = this.hosts.flatMap((from) =>
      this.hosts
        .filter((to) => to !== from)
        .flatMap((to) => FAMILIES.map((family) => new Flow(from.pod, addressIn(family, to.number, 5)))),
    );
    try {
      await work();
      await this.expectReach();
    } finally {
      this.lost.push(...(await Promise.all(flows.map((flow) => flow.end()))));
    }
    expect(Math.max(...this.lost.map(({ lost }) => lost))).toBeLessThanOrEqual(MOST_LOST);
  }

  /** Poplin in flannel's place: by hand as on the page, or as the chart starts it. */
  async move(host: MovingHost): Promise<void> {
    const before = this.leases.read(host.number).told;
    const macs = this.cell.backend === 'vxlan' ? FAMILIES.map((family) => macOf(host, family)) : [];
    this.macs.set(host, macs);
    const args =
      this.cell.registry === 'etcd'
        ? ['flanneld', ...this.flags(), '-ip-masq']
        : [
            ...['agent', '--node-pod-cidrs', '--ip-masq', '--no-bgp'],
            ...['--net-conf', this.station.file('net-conf.json')],
            ...['--kubeconfig', this.station.file('kubeconfig')],
          ];
    await this.meanwhile(async () => {
      await host.stop();
      await host.startPoplin(args);
    });
    expect(this.leases.read(host.number)).toEqual({
      told: before,
      isPoplins: this.cell.registry === 'etcd',
    });
    await this.check(host);
  }

  /** The page's own checks. */
  private async check(host: MovingHost): Promise<void> {
    const [status = '', link = '', ours = '', boot = '', env = ''] = commandsOf('Check');
    expect(host.sh(status)).toMatch(/^ready +yes$/m);
    expect(host.sh(status)).not.toMatch(/^problem/m);
    const others = NODES.filter((number) => number !== host.number);
    for (const other of others)
      for (const family of FAMILIES) expect(host.sh(ours)).toContain(subnetOf(family, other));
    if (this.cell.backend === 'vxlan') {
      const devices = FAMILIES.map((family) => host.sh(link.replace(DEVICES[4], DEVICES[family])));
      for (const at of FAMILIES.keys()) {
        expect(devices[at]).toContain('alias poplin:overlay');
        expect(devices[at]).toContain(`link/ether ${this.macs.get(host)?.[at]} `);
      }
      expect(host.sh(boot)).toBe('');
    }
    const mtu = this.cell.backend === 'vxlan' ? 1430 : 1500;
    expect(host.sh(env)).toBe(flannelEnv(this.cell.backend, host.number).replace(/MTU=\d+/, `MTU=${mtu}`));
  }

  async goBack(host: MovingHost): Promise<void> {
    await this.meanwhile(async () => {
      await host.stop();
      await this.startFlannel(host);
      await this.expectRoutes(host);
      const commands = commandsOf('Back to flannel');
      // A backend without a device has nothing for some of them, as the page says.
      host.sh(`${this.cell.backend === 'vxlan' ? 'set -e' : 'exec 2>/dev/null'}\n${commands.join('\n')}\n:`);
    });
    expect(this.leases.read(host.number).isPoplins).toBe(false);
    expect(host.sh('nft list tables')).not.toContain('poplin');
    const left = host.sh('ip route show proto 112; ip -6 route show proto 112');
    if (this.cell.backend === 'vxlan') expect(left).not.toMatch(/ via /);
  }

  /** Of the page's last step: what flannel left and nobody uses. */
  async takeOff(host: MovingHost): Promise<void> {
    await this.meanwhile(() => host.sh('poplin cleanup --flannel-only'));
    expect(host.sh('iptables-save; ip6tables-save')).not.toContain('FLANNEL');
    await this.check(host);
  }
}

test.for(CELLS)(
  'flannel’s nodes move one by one: $backend, leases in $registry',
  {
    timeout: 180_000,
  },
  async (cell) => {
    await using walk = await Walk.begin(cell);
    const [first, second, third] = walk.hosts as [MovingHost, MovingHost, MovingHost];
    for (const host of walk.hosts) {
      await walk.startFlannel(host);
      host.attachPod();
    }
    await walk.expectReach();
    await walk.move(first);
    await walk.move(second);
    await walk.goBack(first);
    await walk.move(first);
    await walk.move(third);
    for (const host of walk.hosts) await walk.takeOff(host);
    const [sent, lost] = (['sent', 'lost'] as const).map((key) =>
      walk.lost.reduce((sum, count) => sum + count[key], 0),
    );
    process.stdout.write(`${cell.backend}, ${cell.registry}: ${lost} of ${sent} pings lost\n`);
  },
);
