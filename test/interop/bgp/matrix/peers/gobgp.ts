/** GoBGP in the words of the matrix. It programs no kernel. */
import type { IpFamily } from '#base/ip/index.ts';
import type { BgpLan } from '../../lan.ts';
import { Gobgp } from '../../peers.ts';
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

export class GobgpCounterpart implements Counterpart {
  readonly #lan: BgpLan;
  #gobgp: Gobgp | undefined;
  #plan: PeerPlan | undefined;

  constructor(lan: BgpLan) {
    this.#lan = lan;
  }

  async apply(plan: PeerPlan): Promise<void> {
    this.#plan = plan;
    await this.#gobgp?.end();
    await this.#start();
  }

  async #start(...flags: readonly string[]): Promise<void> {
    if (this.#plan === undefined) return;
    if (this.#gobgp === undefined) this.#gobgp = await Gobgp.start(this.#lan, 'peer', configOf(this.#plan));
    else await this.#gobgp.start(configOf(this.#plan), ...flags);
    for (const route of this.#plan.routes) this.#gobgp.gobgp(...additionOf(route, this.#plan));
    // Not before: the mark of the end would come before the routes.
    for (const address of this.#addresses()) this.#gobgp.gobgp('neighbor', address, 'enable');
  }

  get #running(): Gobgp {
    if (this.#gobgp === undefined) throw new Error('it has not been started');
    return this.#gobgp;
  }

  async table(family: IpFamily): Promise<readonly PeerRoute[]> {
    return parseText(await this.#running.table(family));
  }

  count(family: IpFamily): number {
    const text = this.#running.gobgp('global', 'rib', 'summary', '-a', `ipv${family}`);
    return Number(/Destination: (\d+)/.exec(text)?.[1] ?? 0);
  }

  routes(prefix: string): readonly PeerRoute[] {
    try {
      return parse(this.#running.gobgp('global', 'rib', prefix, '-a', `ipv${familyNumber(prefix)}`, '-j'));
    } catch {
      return [];
    }
  }

  askAgain(): void {
    for (const address of this.#addresses()) this.#running.gobgp('neighbor', address, 'softresetin');
  }

  shutDown(text: string): void {
    for (const address of this.#addresses())
      this.#running.gobgp('neighbor', address, 'shutdown', '--reason', text);
    for (const address of this.#addresses()) this.#running.gobgp('neighbor', address, 'enable');
  }

  get lastWords(): string {
    return this.#running.output;
  }

  async kill(): Promise<void> {
    await this.#running.end('SIGKILL');
  }

  async comeBack(): Promise<void> {
    await this.#start('--graceful-restart');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gobgp?.end();
  }

  #addresses(): readonly string[] {
    return (this.#plan?.neighbors ?? []).map((neighbor) => placeOf(neighbor));
  }
}

function configOf(plan: PeerPlan): string {
  const { asn, neighbors, confederation } = plan;
  return `
[global.config]
  as = ${asn}
  router-id = "10.77.0.2"
  local-address-list = [${neighbors.some(({ onLink }) => onLink !== undefined) ? '"::"' : '"10.77.0.2", "fd00:77::2"'}]
${confederation === undefined ? '' : `[global.confederation.config]\n  enabled = true\n  identifier = ${confederation.id}\n  member-as-list = [${confederation.members.join(', ')}]`}
[global.apply-policy.config]
  default-import-policy = "accept-route"
  default-export-policy = "accept-route"
${neighbors.map((each) => neighborOf(plan, each)).join('\n')}
`;
}

function neighborOf({ asn: ownAsn, clusterId }: PeerPlan, neighbor: PeerNeighbor): string {
  const { transport, asn, localAsn, isPassive, password, hops, addPath, restart, isClient, onLink } =
    neighbor;
  const gracefully =
    restart === undefined
      ? ''
      : '\n    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true';
  const forLong =
    restart?.longSec === undefined
      ? ''
      : `\n    [neighbors.afi-safis.long-lived-graceful-restart.config]\n      enabled = true\n      restart-time = ${restart.longSec}`;
  const paths =
    addPath === true
      ? '\n    [neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8'
      : '';
  return `
[[neighbors]]
  [neighbors.config]
    ${onLink !== undefined && onLink.address === undefined ? 'neighbor-interface = "eth0"' : `neighbor-address = "${placeOf(neighbor)}"`}
    peer-as = ${asn}
    admin-down = true
    ${localAsn === undefined || localAsn === ownAsn ? '' : `local-as = ${localAsn}`}
    ${password === undefined ? '' : `auth-password = "${password}"`}
  [neighbors.timers.config]
    hold-time = 9
    keepalive-interval = 3
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    ${onLink === undefined ? `local-address = "${ADDRESS.peer[transport]}"` : ''}
    ${isPassive === true ? 'passive-mode = true' : ''}
  ${hops === undefined ? '' : `[neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = ${256 - hops}`}
  ${isClient === true ? `[neighbors.route-reflector.config]\n    route-reflector-client = true\n    route-reflector-cluster-id = "${clusterId ?? '10.77.0.2'}"` : ''}
  ${restart === undefined ? '' : `[neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = ${restart.timeSec}\n    notification-enabled = true\n    ${restart.longSec === undefined ? '' : 'long-lived-enabled = true'}`}
${FAMILIES.map((family) => `  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = "ipv${family}-unicast"${gracefully}${forLong}${paths}`).join('\n')}
`;
}

function placeOf({ node, transport, onLink }: PeerNeighbor): string {
  if (onLink === undefined) return ADDRESS[node][transport];
  return onLink.address === undefined ? 'eth0' : `${onLink.address}%eth0`;
}

function additionOf(route: PlannedRoute, { neighbors }: PeerPlan): string[] {
  const hasIpv6 = neighbors.some(({ extendedNextHop }) => extendedNextHop === true);
  // Itself, by the address of the session.
  const isOnLink = neighbors.some(({ onLink }) => onLink !== undefined);
  const { prefix, med, communities = [], large = [], extended = [], asns = [] } = route;
  const family = familyNumber(prefix);
  return [
    ...['global', 'rib', 'add', '-a', `ipv${family}`, prefix],
    ...['nexthop', isOnLink ? '::' : ADDRESS.peer[hasIpv6 ? 6 : family], 'origin', 'igp'],
    ...(med === undefined ? [] : ['med', String(med)]),
    ...(communities.length === 0 ? [] : ['community', communities.join(',')]),
    ...(asns.length === 0 ? [] : ['aspath', asns.join(' ')]),
    ...(large.length === 0 ? [] : ['large-community', large.join(',')]),
    ...extended.flatMap((each) => ['rt', each.replace('rt:', '')]),
  ];
}

interface GobgpAttribute {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly value?: unknown;
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly segment_type: number; readonly asns: readonly number[] }[];
}

interface GobgpPath {
  readonly nlri: { readonly prefix: string };
  readonly attrs: readonly GobgpAttribute[];
}

const SEQUENCES: ReadonlySet<number> = new Set([1, 2]);

function parse(text: string): readonly PeerRoute[] {
  const table = JSON.parse(text) as Readonly<Record<string, readonly GobgpPath[]>> | readonly GobgpPath[];
  return Object.values(table).flat().map(routeFrom);
}

/** Of a whole table: in JSON each IPv6 route has all that came in the same message beside it, which is hundreds of megabytes. */
function parseText(text: string): readonly PeerRoute[] {
  return text.split('\n').flatMap((line) => {
    const [, prefix, nextHop, path = '', attributes = ''] =
      /^\S*\s+(\S+\/\d+)\s+(\S+)\s+(\d[\d ]*?)?\s+\d+:\d+:\d+\s+\[(.*)\]/.exec(line) ?? [];
    if (prefix === undefined || nextHop === undefined) return [];
    const med = /\{Med: (\d+)\}/.exec(attributes)?.[1];
    const none = { communities: [], large: [], extended: [], clusters: [], members: [] };
    const asns = path.match(/\d+/g)?.map(Number) ?? [];
    return [{ ...none, prefix, nextHop, asns, ...(med !== undefined && { med: Number(med) }) }];
  });
}

function routeFrom({ nlri, attrs }: GobgpPath): PeerRoute {
  const of = (...types: readonly number[]) => attrs.find(({ type }) => types.includes(type));
  const list = (type: number) => (of(type)?.value ?? []) as readonly unknown[];
  const segments = of(2)?.as_paths ?? [];
  const asns = (isMember: boolean) =>
    segments
      .filter(({ segment_type }) => SEQUENCES.has(segment_type) !== isMember)
      .flatMap((each) => each.asns);
  const reach = of(14);
  const med = of(4)?.metric;
  const localPref = of(5)?.value as number | undefined;
  const originator = of(9)?.value as string | undefined;
  return {
    prefix: nlri.prefix,
    nextHop: of(3)?.nexthop ?? reach?.nexthop ?? '',
    asns: asns(false),
    members: asns(true),
    communities: (of(8)?.communities ?? []).map((each) => `${each >>> 16}:${each & 0xffff}`),
    large: (list(32) as readonly { ASN: number; LocalData1: number; LocalData2: number }[]).map(
      (each) => `${each.ASN}:${each.LocalData1}:${each.LocalData2}`,
    ),
    extended: (list(16) as readonly { value: string; subtype: number }[]).map(({ value }) => `rt:${value}`),
    clusters: list(10) as readonly string[],
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(originator === undefined ? {} : { originator }),
  };
}
