/** BIRD in the words of the matrix. */
import type { IpFamily } from '#base/ip/index.ts';
import type { BgpLan } from '../../lan.ts';
import { Bird } from '../../peers.ts';
import {
  ADDRESS,
  type Counterpart,
  FAMILIES,
  familyNumber,
  nameOf,
  type PeerNeighbor,
  type PeerPlan,
  type PeerRoute,
  type PlannedRoute,
} from '../plan.ts';

export class BirdCounterpart implements Counterpart {
  readonly #lan: BgpLan;
  #bird: Bird | undefined;
  #config = '';
  #plan: PeerPlan | undefined;
  #isDead = false;

  constructor(lan: BgpLan) {
    this.#lan = lan;
  }

  async apply(plan: PeerPlan): Promise<void> {
    this.#plan = plan;
    this.#config = configOf(plan);
    if (this.#bird === undefined) this.#bird = await Bird.start(this.#lan, 'peer', this.#config);
    else if (this.#isDead) await this.comeBack();
    else this.#bird.reconfigure(this.#config);
  }

  get #running(): Bird {
    if (this.#bird === undefined) throw new Error('it has not been started');
    return this.#bird;
  }

  async table(family: IpFamily): Promise<readonly PeerRoute[]> {
    return parse(await this.#running.table(family));
  }

  count(family: IpFamily): number {
    const text = this.#running.ctl(`show route count table master${family}`);
    return Number(/for (\d+) networks/.exec(text)?.[1] ?? 0);
  }

  routes(prefix: string): readonly PeerRoute[] {
    try {
      return parse(this.#running.ctl(`show route all for ${prefix}`)).filter(
        (each) => each.prefix === prefix,
      );
    } catch {
      return [];
    }
  }

  askAgain(): void {
    this.#running.ctl('reload in all');
  }

  shutDown(text: string): void {
    for (const neighbor of this.#plan?.neighbors ?? []) {
      this.#running.ctl(`disable ${nameOf(neighbor)} "${text}"`);
      this.#running.ctl(`enable ${nameOf(neighbor)}`);
    }
  }

  get lastWords(): string {
    return this.#running.log;
  }

  async kill(): Promise<void> {
    this.#isDead = true;
    await this.#running.end('SIGKILL');
  }

  async comeBack(): Promise<void> {
    this.#isDead = false;
    await this.#running.start(this.#config, '-R');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bird?.end();
  }
}

function configOf(plan: PeerPlan): string {
  const statics = FAMILIES.map((family) => {
    const own = plan.routes.filter(({ prefix }) => familyNumber(prefix) === family);
    return `protocol static s${family} { ipv${family}; ${own.map(routeOf).join(' ')} }`;
  });
  return `
router id 10.77.0.2;
protocol device { scan time 2; }
protocol kernel k4 { ipv4 { export where source = RTS_BGP; import none; }; graceful restart on; }
protocol kernel k6 { ipv6 { export where source = RTS_BGP; import none; }; graceful restart on; }
protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
filter ours {
  if source = RTS_STATIC then { if defined(bgp_med) then bgp_med = bgp_med; accept; }
  if source = RTS_BGP then accept;
  reject;
}
${statics.join('\n')}
${plan.neighbors.some(({ onLink }) => onLink !== undefined) ? 'protocol radv { interface "eth0" { max ra interval 4; default lifetime 0; }; }' : ''}
${plan.neighbors.map((each) => neighborOf(plan, each)).join('\n')}
`;
}

function routeOf({
  prefix,
  med,
  communities = [],
  large = [],
  extended = [],
  asns = [],
}: PlannedRoute): string {
  const lines = [
    ...(med === undefined ? [] : [`bgp_med = ${med};`]),
    ...communities.map((each) => `bgp_community.add((${each.replace(':', ',')}));`),
    ...large.map((each) => `bgp_large_community.add((${each.replaceAll(':', ',')}));`),
    ...extended.map((each) => `bgp_ext_community.add((${each.replaceAll(':', ',')}));`),
    ...asns.toReversed().map((asn) => `bgp_path.prepend(${asn});`),
  ];
  return `route ${prefix} blackhole${lines.length === 0 ? '' : ` { ${lines.join(' ')} }`};`;
}

function neighborOf(plan: PeerPlan, neighbor: PeerNeighbor): string {
  const { transport, password, hops, restart } = neighbor;
  const { localAsn = plan.asn, isPassive, addPath, extendedNextHop, isClient, isMember, hasBfd } = neighbor;
  const channel = (family: IpFamily) => {
    // Without it there is no next hop in the other family; a reflector leaves it alone.
    const isOther = family !== transport && !(extendedNextHop === true && family === 4);
    const nextHop = isOther && isClient !== true ? `next hop address ${ADDRESS.peer[family]};` : '';
    return `ipv${family} { import all; export filter ours; ${nextHop}
      ${addPath === true ? 'add paths on;' : ''} ${extendedNextHop === true && family === 4 ? 'extended next hop on;' : ''} };`;
  };
  const flags = [
    ...(isPassive === true ? ['passive;'] : []),
    ...(password === undefined ? [] : [`password "${password}";`]),
    ...(hops === undefined ? [] : ['ttl security on;']),
    ...(plan.hasExtendedMessages === true ? ['enable extended messages on;'] : []),
    ...(restart === undefined ? [] : [`graceful restart on; graceful restart time ${restart.timeSec};`]),
    ...(restart?.longSec === undefined
      ? []
      : [`long lived graceful restart on; long lived stale time ${restart.longSec};`]),
    ...(isClient === true ? ['rr client;'] : []),
    ...(isClient === true && plan.clusterId !== undefined ? [`rr cluster id ${plan.clusterId};`] : []),
    ...(plan.confederation === undefined ? [] : [`confederation ${plan.confederation.id};`]),
    ...(isMember === true ? ['confederation member on;'] : []),
    ...(hasBfd === true ? ['bfd on;'] : []),
  ];
  return `protocol bgp ${nameOf(neighbor)} {
  ${endsOf(neighbor, localAsn)} hold time 9;
  error wait time 1, 1; error forget time 2; connect retry time 1; connect delay time 1;
  ${channel(4)} ${channel(6)} ${flags.join(' ')}
}`;
}

function endsOf({ node, transport, asn, onLink }: PeerNeighbor, localAsn: number): string {
  if (onLink === undefined)
    return `local ${ADDRESS.peer[transport]} as ${localAsn}; neighbor ${ADDRESS[node][transport]} as ${asn};`;
  const { address } = onLink;
  const other = address === undefined ? `neighbor range fe80::/10 as ${asn}; interface "eth0";` : '';
  return `local as ${localAsn}; ${address === undefined ? other : `neighbor ${address}%eth0 as ${asn};`}`;
}

/** `show route all`: a line for each route, whose prefix is absent where it is the one before, and attributes in lines below. */
function parse(text: string): readonly PeerRoute[] {
  const routes: PeerRoute[] = [];
  let prefix = '';
  let last = '';
  let attributes: Map<string, string> | undefined;
  const finish = () => {
    if (attributes !== undefined) routes.push(routeFrom(prefix, attributes));
  };
  for (const line of text.split('\n')) {
    const head = /^(\S+\/\d+)?\s+(unicast|blackhole|unreachable) \[/.exec(line);
    if (head !== null) {
      finish();
      prefix = head[1] ?? prefix;
      attributes = new Map();
      continue;
    }
    const [, via, name, value] = /^\s+(?:via (\S+)|BGP\.(\w+): (.*))/.exec(line) ?? [];
    if (via !== undefined || name !== undefined) {
      last = name ?? 'via';
      attributes?.set(last, via ?? value ?? '');
      // Long lists go on in further lines.
    } else if (/^\s+\(/.test(line)) attributes?.set(last, `${attributes.get(last)} ${line.trim()}`);
  }
  finish();
  return routes;
}

/** The first of them that is there: a link-local one stands behind zeros where it is alone. */
function nextHopIn(text: string | undefined): string | undefined {
  return text?.split(' ').find((address) => address !== '::');
}

function routeFrom(prefix: string, attributes: ReadonlyMap<string, string>): PeerRoute {
  const path = attributes.get('as_path') ?? '';
  const numbers = (text: string) => text.match(/\d+/g)?.map(Number) ?? [];
  const items = (key: string) => attributes.get(key)?.match(/\([^)]*\)/g) ?? [];
  const joined = (item: string) => item.replaceAll(/[() ]/g, '').replaceAll(',', ':');
  const med = attributes.get('med');
  const localPref = attributes.get('local_pref');
  const originator = attributes.get('originator_id');
  return {
    prefix,
    nextHop: nextHopIn(attributes.get('next_hop')) ?? attributes.get('via') ?? '',
    asns: numbers(path.replaceAll(/\([^)]*\)/g, '')),
    members: numbers(/\([^)]*\)/.exec(path)?.[0] ?? ''),
    communities: items('community').map(joined),
    large: items('large_community').map(joined),
    extended: items('ext_community').map(joined),
    clusters: attributes.get('cluster_list')?.split(' ').filter(Boolean) ?? [],
    ...(med === undefined ? {} : { med: Number(med) }),
    ...(localPref === undefined ? {} : { localPref: Number(localPref) }),
    ...(originator === undefined ? {} : { originator }),
  };
}
