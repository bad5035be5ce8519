/** ExaBGP in the words of the matrix. It keeps no table: what it has is what its process was told. */
import { isDeepStrictEqual } from 'node:util';
import type { IpFamily } from '#base/ip/index.ts';
import type { BgpLan } from '../../lan.ts';
import { Exabgp } from '../../peers.ts';
import {
  ADDRESS,
  type Counterpart,
  familyNumber,
  type PeerNeighbor,
  type PeerPlan,
  type PeerRoute,
  type PlannedRoute,
} from '../plan.ts';

export class ExabgpCounterpart implements Counterpart {
  readonly #lan: BgpLan;
  #exabgp: Exabgp | undefined;
  #plan: PeerPlan | undefined;

  constructor(lan: BgpLan) {
    this.#lan = lan;
  }

  async apply(plan: PeerPlan): Promise<void> {
    const before = this.#plan;
    this.#plan = plan;
    // Routes alone are told and withdrawn in the sessions there are.
    if (before !== undefined && isDeepStrictEqual({ ...before, routes: [] }, { ...plan, routes: [] })) {
      this.#running.reload(configOf(plan));
      return;
    }
    await this.#exabgp?.end();
    await this.#start();
  }

  async #start(): Promise<void> {
    if (this.#plan === undefined) return;
    if (this.#exabgp === undefined)
      this.#exabgp = await Exabgp.start(this.#lan, 'peer', configOf(this.#plan));
    else await this.#exabgp.start(configOf(this.#plan));
  }

  get #running(): Exabgp {
    if (this.#exabgp === undefined) throw new Error('it has not been started');
    return this.#exabgp;
  }

  async table(family: IpFamily): Promise<readonly PeerRoute[]> {
    return this.#all(family);
  }

  count(family: IpFamily): number {
    return this.#all(family).length;
  }

  #all(family: IpFamily): readonly PeerRoute[] {
    return fold(this.#running.heard).filter(({ prefix }) => familyNumber(prefix) === family);
  }

  routes(prefix: string): readonly PeerRoute[] {
    return fold(this.#running.heard).filter((route) => route.prefix === prefix);
  }

  askAgain(): void {
    this.#running.command('announce route-refresh ipv4 unicast');
    this.#running.command('announce route-refresh ipv6 unicast');
  }

  shutDown(_text: string): void {
    for (const { node, transport } of this.#plan?.neighbors ?? [])
      this.#running.command(`neighbor ${ADDRESS[node][transport]} teardown 2`);
  }

  get lastWords(): string {
    return this.#running.heard + this.#running.output;
  }

  async kill(): Promise<void> {
    await this.#running.end('SIGKILL');
  }

  async comeBack(): Promise<void> {
    await this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#exabgp?.end();
  }
}

function configOf(plan: PeerPlan): string {
  return plan.neighbors.map((neighbor) => neighborOf(plan, neighbor)).join('\n');
}

function neighborOf(plan: PeerPlan, neighbor: PeerNeighbor): string {
  const { node, transport, asn, localAsn = plan.asn, isPassive, password, hops } = neighbor;
  const { addPath, extendedNextHop, restart } = neighbor;
  return `
neighbor ${ADDRESS[node][transport]} {
  ${isPassive === true ? 'passive true;' : ''}
  router-id 10.77.0.2; local-address ${ADDRESS.peer[transport]}; local-as ${localAsn}; peer-as ${asn}; hold-time 9;
  ${password === undefined ? '' : `md5-password "${password}"; md5-ip ${ADDRESS.peer[transport]};`}
  ${hops === undefined ? '' : 'outgoing-ttl 255; incoming-ttl 255;'}
  family { ipv4 unicast; ipv6 unicast; }
  ${extendedNextHop === true ? 'nexthop { ipv4 unicast ipv6; }' : ''}
  capability {
    route-refresh enable;
    ${plan.hasExtendedMessages === true ? 'extended-message enable;' : 'extended-message disable;'}
    ${addPath === true ? 'add-path send/receive;' : ''}
    ${extendedNextHop === true ? 'nexthop enable;' : ''}
    ${restart === undefined ? '' : `graceful-restart ${restart.timeSec};`}
  }
  api { processes [ watch ]; neighbor-changes; receive { parsed; update; notification; open; refresh; } }
  static {
    ${plan.routes.map((route) => routeOf(route, neighbor)).join('\n    ')}
  }
}`;
}

function routeOf(route: PlannedRoute, { extendedNextHop, addPath }: PeerNeighbor): string {
  const { prefix, med, communities = [], large = [], extended = [], asns = [] } = route;
  const { originator, clusters = [], pathId } = route;
  const nextHop = ADDRESS.peer[extendedNextHop === true ? 6 : familyNumber(prefix)];
  const path = addPath === true && pathId !== undefined ? `path-information 0.0.0.${pathId}` : '';
  return [
    `route ${prefix} next-hop ${nextHop}`,
    path,
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(communities.length === 0 ? [] : [`community [ ${communities.join(' ')} ]`]),
    ...(large.length === 0 ? [] : [`large-community [ ${large.join(' ')} ]`]),
    ...(extended.length === 0
      ? []
      : [`extended-community [ ${extended.map((each) => each.replace('rt', 'target')).join(' ')} ]`]),
    ...(asns.length === 0 ? [] : [`as-path [ ${asns.join(' ')} ]`]),
    ...(originator === undefined ? [] : [`originator-id ${originator}`]),
    ...(clusters.length === 0 ? [] : [`cluster-list [ ${clusters.join(' ')} ]`]),
  ]
    .filter(Boolean)
    .join(' ')
    .concat(';');
}

interface Heard {
  readonly type: string;
  readonly neighbor: {
    readonly address: { readonly peer: string };
    readonly state?: string;
    readonly message?: { readonly update?: HeardUpdate };
  };
}
interface HeardNlri {
  readonly nlri: string;
  readonly 'path-information'?: string;
}
interface HeardUpdate {
  readonly attribute?: Readonly<Record<string, unknown>>;
  readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly HeardNlri[]>>>>;
  readonly withdraw?: Readonly<Record<string, readonly HeardNlri[]>>;
}

/** What is left of all that was announced. */
function fold(heard: string): readonly PeerRoute[] {
  const routes = new Map<string, PeerRoute>();
  for (const line of heard.split('\n')) {
    if (!line.startsWith('{') || !line.endsWith('}')) continue;
    const { type, neighbor } = JSON.parse(line) as Heard;
    const { peer } = neighbor.address;
    if (type === 'state' && neighbor.state !== 'up')
      for (const key of [...routes.keys()]) if (key.startsWith(`${peer} `)) routes.delete(key);
    const { attribute = {}, announce = {}, withdraw = {} } = neighbor.message?.update ?? {};
    const keyOf = (each: HeardNlri) => `${peer} ${each.nlri} ${each['path-information'] ?? ''}`;
    for (const gone of Object.values(withdraw).flat()) routes.delete(keyOf(gone));
    for (const [nextHop, all] of Object.values(announce).flatMap((byHop) => Object.entries(byHop)))
      for (const each of all)
        if (each.nlri !== undefined) routes.set(keyOf(each), routeFrom(each.nlri, nextHop, attribute));
  }
  return [...routes.values()];
}

function routeFrom(prefix: string, nextHop: string, attribute: Readonly<Record<string, unknown>>): PeerRoute {
  const joined = (key: string) =>
    ((attribute[key] ?? []) as readonly (readonly number[])[]).map((each) => each.join(':'));
  const med = attribute['med'] as number | undefined;
  const localPref = attribute['local-preference'] as number | undefined;
  const originator = attribute['originator-id'] as string | undefined;
  return {
    prefix,
    nextHop,
    asns: (attribute['as-path'] ?? []) as readonly number[],
    members: (attribute['confederation-path'] ?? []) as readonly number[],
    communities: joined('community'),
    large: joined('large-community'),
    extended: ((attribute['extended-community'] ?? []) as readonly { string: string }[]).map(({ string }) =>
      string.replace('target', 'rt'),
    ),
    clusters: (attribute['cluster-list'] ?? []) as readonly string[],
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(originator === undefined ? {} : { originator }),
  };
}
