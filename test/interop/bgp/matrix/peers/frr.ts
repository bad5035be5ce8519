/** FRR in the words of the matrix. */
import type { IpFamily } from '#base/ip/index.ts';
import type { BgpLan } from '../../lan.ts';
import { Frr } from '../../peers.ts';
import {
  ADDRESS,
  type Counterpart,
  FAMILIES,
  familyNumber,
  type PeerNeighbor,
  type PeerPlan,
  type PeerRoute,
  type PlannedRoute,
} from '../plan.ts';

export class FrrCounterpart implements Counterpart {
  readonly #lan: BgpLan;
  #frr: Frr | undefined;
  #plan: PeerPlan | undefined;
  #isDead = false;

  constructor(lan: BgpLan) {
    this.#lan = lan;
  }

  async apply(plan: PeerPlan): Promise<void> {
    const before = this.#plan;
    this.#plan = plan;
    if (this.#frr === undefined) {
      this.#frr = await Frr.start(this.#lan, 'peer', configOf(plan), { bfd: true, listensToAll: true });
      return;
    }
    if (this.#isDead) return this.comeBack();
    this.#frr.configure(`${before === undefined ? '' : `no router bgp ${before.asn}\n`}${configOf(plan)}`);
  }

  get #running(): Frr {
    if (this.#frr === undefined) throw new Error('it has not been started');
    return this.#frr;
  }

  async table(family: IpFamily): Promise<readonly PeerRoute[]> {
    const text = await this.#running.table(family);
    const { routes } = JSON.parse(text) as { routes: Record<string, (FrrPath | { aspath?: undefined })[]> };
    // The first of each list is about the prefix.
    return Object.entries(routes).flatMap(([prefix, paths]) =>
      paths.flatMap((path) => (path.aspath === undefined ? [] : [routeFrom(prefix, path)])),
    );
  }

  count(family: IpFamily): number {
    const text = this.#running.vtysh(`show bgp ipv${family} unicast summary json`);
    const { peers } = JSON.parse(text) as { peers?: Record<string, { pfxRcd: number }> };
    return Object.values(peers ?? {}).reduce((sum, { pfxRcd }) => sum + pfxRcd, 0);
  }

  routes(prefix: string): readonly PeerRoute[] {
    const text = this.#running.vtysh(`show bgp ipv${familyNumber(prefix)} unicast ${prefix} json`);
    const { paths = [] } = JSON.parse(text) as { paths?: FrrPath[] };
    return paths.map((path) => routeFrom(prefix, path));
  }

  askAgain(): void {
    this.#running.vtysh('clear bgp ipv4 unicast * soft in', 'clear bgp ipv6 unicast * soft in');
  }

  shutDown(text: string): void {
    const router = ['configure', `router bgp ${this.#plan?.asn}`];
    for (const { node, transport } of this.#plan?.neighbors ?? []) {
      const address = ADDRESS[node][transport];
      this.#running.vtysh(...router, `neighbor ${address} shutdown message ${text}`);
      this.#running.vtysh(...router, `no neighbor ${address} shutdown`);
    }
  }

  get lastWords(): string {
    return `${this.#running.output}${this.#running.vtysh('show bgp neighbors')}`;
  }

  async kill(): Promise<void> {
    this.#isDead = true;
    await this.#running.killBgpd();
  }

  async comeBack(): Promise<void> {
    this.#isDead = false;
    if (this.#plan !== undefined) await this.#running.startBgpd(configOf(this.#plan));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#frr?.end();
  }
}

function configOf(plan: PeerPlan): string {
  const { asn, neighbors, routes, clusterId, confederation } = plan;
  const restart = neighbors.find((each) => each.restart !== undefined)?.restart;
  const families = FAMILIES.map((family) => {
    const own = routes.filter(({ prefix }) => familyNumber(prefix) === family);
    return ` address-family ipv${family} unicast
${own.map((route) => `  network ${route.prefix} route-map own-${mapName(route)}`).join('\n')}
${neighbors.map((each) => activationOf(each)).join('\n')}
 exit-address-family`;
  });
  return `
${routes.map(routeMapOf).join('\n')}
debug bgp neighbor-events
router bgp ${asn}
 bgp router-id 10.77.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
${restart === undefined ? '' : ` bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n bgp graceful-restart restart-time ${restart.timeSec}\n bgp graceful-restart select-defer-time 5`}
${restart?.longSec === undefined ? '' : ` bgp long-lived-graceful-restart stale-time ${restart.longSec}`}
${clusterId === undefined ? '' : ` bgp cluster-id ${clusterId}`}
${confederation === undefined ? '' : ` bgp confederation identifier ${confederation.id}\n bgp confederation peers ${confederation.members.join(' ')}`}
${neighbors.map((each) => neighborOf(each)).join('\n')}
${families.join('\n')}
exit
`;
}

function mapName({ prefix }: PlannedRoute): string {
  return prefix.replaceAll(/[.:/]/g, '-');
}

function routeMapOf(route: PlannedRoute): string {
  const { med, communities = [], large = [], extended = [], asns = [] } = route;
  return `
route-map own-${mapName(route)} permit 10
${med === undefined ? '' : ` set metric ${med}`}
${communities.length === 0 ? '' : ` set community ${communities.join(' ')}`}
${large.length === 0 ? '' : ` set large-community ${large.join(' ')}`}
${extended.map((each) => ` set extcommunity ${each.replace(':', ' ')}`).join('\n')}
${asns.length === 0 ? '' : ` set as-path prepend ${asns.join(' ')}`}
exit`;
}

function neighborOf(neighbor: PeerNeighbor): string {
  const { transport, asn, localAsn, isPassive, password, hops, extendedNextHop, hasBfd, onLink } = neighbor;
  const isFound = onLink !== undefined && onLink.address === undefined;
  const lines = [
    isFound ? `interface remote-as ${asn}` : `remote-as ${asn}`,
    'timers 3 9',
    'timers connect 1',
    ...(onLink === undefined ? [`update-source ${ADDRESS.peer[transport]}`] : []),
    ...(onLink?.address === undefined ? [] : ['interface eth0']),
    ...(localAsn === undefined ? [] : [`local-as ${localAsn} no-prepend replace-as`]),
    ...(isPassive === true ? ['passive'] : []),
    ...(password === undefined ? [] : [`password ${password}`]),
    ...(hops === undefined ? [] : [`ttl-security hops ${hops}`]),
    ...(extendedNextHop === true ? ['capability extended-nexthop'] : []),
    ...(hasBfd === true ? ['bfd 3 100 100'] : []),
  ];
  return lines.map((line) => ` neighbor ${placeOf(neighbor)} ${line}`).join('\n');
}

function placeOf({ node, transport, onLink }: PeerNeighbor): string {
  return onLink === undefined ? ADDRESS[node][transport] : (onLink.address ?? 'eth0');
}

function activationOf(neighbor: PeerNeighbor): string {
  const { addPath, isClient } = neighbor;
  const lines = [
    'activate',
    ...(addPath === true ? ['addpath-tx-all-paths'] : []),
    ...(isClient === true ? ['route-reflector-client'] : []),
  ];
  return lines.map((line) => `  neighbor ${placeOf(neighbor)} ${line}`).join('\n');
}

interface FrrPath {
  readonly aspath: {
    readonly segments: readonly { readonly type: string; readonly list: readonly number[] }[];
  };
  readonly metric?: number;
  readonly locPrf?: number;
  readonly community?: { readonly list: readonly string[] };
  readonly largeCommunity?: { readonly string: string };
  readonly extendedCommunity?: { readonly string: string };
  readonly originatorId?: string;
  readonly clusterList?: { readonly list: readonly string[] };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
}

function routeFrom(prefix: string, path: FrrPath): PeerRoute {
  const words = (value: { readonly string: string } | undefined) => value?.string.split(' ') ?? [];
  const segments = (isMember: boolean) =>
    path.aspath.segments
      .filter(({ type }) => type.includes('confed') === isMember)
      .flatMap(({ list }) => list);
  const { metric, locPrf, originatorId } = path;
  return {
    prefix,
    nextHop: (path.nexthops.find(({ scope }) => scope !== 'link-local') ?? path.nexthops[0])?.ip ?? '',
    asns: segments(false),
    members: segments(true),
    communities: path.community?.list ?? [],
    large: words(path.largeCommunity),
    extended: words(path.extendedCommunity).map((each) => each.toLowerCase()),
    clusters: path.clusterList?.list ?? [],
    ...(metric === undefined ? {} : { med: metric }),
    ...(locPrf === undefined ? {} : { localPref: locPrf }),
    ...(originatorId === undefined ? {} : { originator: originatorId }),
  };
}
