/** Our side of a session in a test: an endpoint and a runner on a node of the lan, with all that they were told. */
import { vi } from 'vitest';
import type {
  Agreed,
  Nlri,
  PathAttributes,
  RouteFamily,
  SessionConfig,
  SessionNews,
} from '#core/bgp/session/index.ts';
import { BgpEndpoint, dial, type HopLimits, type SessionReport, SessionRunner } from '#io/bgp/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import type { LanNode } from './lan.ts';

const WAIT = { timeout: 20_000, interval: 20 };
const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };

export interface StationOptions {
  readonly node: LanNode;
  readonly peer: LanNode;
  /** The addresses the session uses; 4 if absent. */
  readonly transport?: RouteFamily;
  readonly config?: Partial<SessionConfig>;
  readonly password?: string;
  readonly hops?: HopLimits;
}

export class Station implements AsyncDisposable {
  readonly runner: SessionRunner;
  readonly news: SessionNews[] = [];
  readonly reports: SessionReport[] = [];
  readonly strangers: string[] = [];
  readonly #endpoint: BgpEndpoint;

  constructor(options: StationOptions) {
    const { node, peer, transport = 4, config, password, hops } = options;
    const [local, remote] = transport === 4 ? [node.ipv4, peer.ipv4] : [node.ipv6, peer.ipv6];
    const { namespace } = node;
    const secrets = { ...(password !== undefined && { password }), ...(hops !== undefined && { hops }) };
    const common = { clock: systemClock, namespace, port: 179 };
    this.runner = new SessionRunner({
      config: {
        localAsn: 65_001,
        routerId: 0x0a4d0001,
        peerAddress: remote,
        isPassive: false,
        families: new Map([
          [4, PLAIN],
          [6, PLAIN],
        ]),
        holdTimeSec: 9,
        connectRetrySec: 1,
        openDelaySec: 0,
        idleHoldSec: { initial: 0.5, max: 2 },
        hasExtendedMessages: true,
        ...config,
      },
      clock: systemClock,
      random: systemRandom,
      dial: (handlers) => dial({ ...common, ...secrets, local, remote }, handlers),
      onNews: (news) => this.news.push(news),
      onReport: (report) => this.reports.push(report),
    });
    this.#endpoint = BgpEndpoint.open({
      ...common,
      addresses: [local],
      onStranger: (address) => this.strangers.push(address),
    });
    this.#endpoint.add({ peer: remote, ...secrets, onStream: (stream) => this.runner.accept(stream) });
    this.runner.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoint.close();
    await this.runner.close();
  }

  /** What was agreed on, once there is a session. */
  agreed(): Promise<Agreed> {
    return vi.waitFor(() => {
      const { phase, bargain } = this.runner.state;
      if (phase === 'established' && bargain !== undefined) return bargain.agreed;
      throw new Error(`${phase}: ${this.reasons.join('; ')}`);
    }, WAIT);
  }

  /** Waits until the news satisfy a condition. */
  until<T>(what: string, found: () => T | undefined | false): Promise<T> {
    return vi.waitFor(() => {
      const value = found();
      if (value !== undefined && value !== false) return value;
      throw new Error(
        `${what}: ${this.runner.state.phase}, ${this.reasons.join('; ')}, ${JSON.stringify(this.news)}`,
      );
    }, WAIT);
  }

  /** Tells the peer of routes, which are ours unless the attributes say otherwise. */
  announce(
    family: RouteFamily,
    attributes: Partial<PathAttributes> & Pick<PathAttributes, 'nextHop'>,
    ...nlri: readonly (string | Nlri)[]
  ): void {
    this.runner.send({
      type: 'announce',
      update: {
        family,
        attributes: { origin: 'igp', asPath: [{ type: 'sequence', asns: [65_001] }], ...attributes },
        nlri: nlri.map((each) => (typeof each === 'string' ? { prefix: each } : each)),
      },
    });
  }

  /** Why connections have ended. */
  get reasons(): string[] {
    return this.reports.flatMap((report) => (report.type === 'ended' ? [report.reason] : []));
  }

  /** The routes that were announced and not withdrawn since, by prefix. */
  get routes(): Map<string, PathAttributes> {
    const routes = new Map<string, PathAttributes>();
    for (const news of this.news) {
      if (news.type === 'announced')
        for (const { prefix } of news.update.nlri) routes.set(prefix, news.update.attributes);
      else if (news.type === 'withdrawn')
        for (const { prefix } of news.withdrawal.nlri) routes.delete(prefix);
      else if (news.type === 'down') routes.clear();
    }
    return routes;
  }

  /** Waits for a route. */
  route(prefix: string): Promise<PathAttributes> {
    return this.until(`no route to ${prefix}`, () => this.routes.get(prefix));
  }

  /** Waits for the end of a family's routes. */
  async complete(...families: readonly RouteFamily[]): Promise<void> {
    await this.until('no end of rib', () =>
      families.every((family) =>
        this.news.some((news) => news.type === 'end-of-rib' && news.family === family),
      ),
    );
  }
}
