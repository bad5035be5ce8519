/** A speaker of ours on a node of the lan, told by a file as `poplin bgp run` is; what is best goes into the node's kernel, if that is wanted. */
import { vi } from 'vitest';
import { parseSpeakerFile } from '#app/bgp/index.ts';
import { BgpService } from '#app/bgp/service/index.ts';
import type { IpFamily } from '#base/ip/index.ts';
import { type RouteView, routesOf } from '#core/bgp/rib/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import type { BgpLan } from '../lan.ts';
import { FAMILIES } from './plan.ts';
import { programBest } from './program.ts';

export const WAIT = { timeout: 30_000, interval: 50 };

interface OursOptions {
  readonly isProgramming?: boolean;
  /** The one before it was dropped. */
  readonly isRestarting?: boolean;
}

export class Ours implements AsyncDisposable {
  readonly service: BgpService;
  readonly events: string[] = [];
  isConverged = false;
  #isDropped = false;

  /** `file`: what would be in the YAML. */
  constructor(lan: BgpLan, node: string, file: object, options: OursOptions = {}) {
    const { isProgramming = false, isRestarting = false } = options;
    const { namespace } = lan.node(node);
    const setup = parseSpeakerFile(JSON.stringify(file), node);
    const links = new Map(setup.speaker.neighbors.map(({ key, session }) => [key, session.interface]));
    this.service = new BgpService(setup, {
      clock: systemClock,
      random: systemRandom,
      namespace,
      isRestarting,
      onBest: (changes) => {
        if (isProgramming) programBest(namespace.path, changes, (peer) => links.get(peer));
      },
      onConverged: () => {
        this.isConverged = true;
      },
    });
    this.service.watch((event) => {
      if (event.type === 'session') this.events.push(`${event.peer}: ${event.isUp ? 'up' : event.reason}`);
      if (event.type === 'fault') this.events.push(`${event.peer}: fault ${event.text}`);
    });
  }

  /** It goes without a word, and leaves what it put into the kernel. */
  async drop(): Promise<void> {
    this.#isDropped = true;
    await this.service.drop();
  }

  /** Another file; what it does not change goes on. */
  configure(file: object): void {
    this.service.configure(parseSpeakerFile(JSON.stringify(file), 'test'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isDropped) await this.service[Symbol.asyncDispose]();
  }

  isUp(neighbor: string): boolean {
    return this.service.neighbors().some(({ key, isUp }) => key === neighbor && isUp);
  }

  /** Waits for sessions; says how they are if that takes too long. */
  async up(...neighbors: readonly string[]): Promise<void> {
    await this.until(`no session with ${neighbors.join()}`, () => neighbors.every((each) => this.isUp(each)));
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    await vi.waitFor(() => {
      if (!isSo()) throw new Error(`${what}: ${this.state}`);
    }, WAIT);
  }

  get state(): string {
    const neighbors = this.service.neighbors().map(({ key, phase, lastReason, families }) => ({
      key,
      phase,
      lastReason,
      families,
    }));
    return JSON.stringify({ neighbors, events: this.events.slice(-10) });
  }

  /** What it has of a prefix, also what it refused. */
  paths(prefix: string, neighbor?: string): readonly RouteView[] {
    const { routes } = this.service.why(prefix);
    return routes.filter(({ peer }) => neighbor === undefined || peer === neighbor);
  }

  /** Waits for a route that is in use. */
  async route(prefix: string, neighbor?: string): Promise<RouteView> {
    const found = () =>
      this.paths(prefix, neighbor).find(
        ({ outcome }) => outcome.type !== 'refused' && outcome.type !== 'unreachable',
      );
    await this.until(`no route to ${prefix}`, () => found() !== undefined).catch((error: unknown) => {
      throw new Error(`${String(error)} ${JSON.stringify(this.paths(prefix))}`, { cause: error });
    });
    return found() as RouteView;
  }

  /** Waits until a route is refused, and says why. */
  async refusal(prefix: string, neighbor?: string): Promise<string> {
    const found = () => {
      const outcome = this.paths(prefix, neighbor)[0]?.outcome;
      return outcome?.type === 'refused' ? outcome.reason : undefined;
    };
    await this.until(`${prefix} is not refused`, () => found() !== undefined);
    return found() ?? '';
  }

  /** Waits until a prefix is not there any more. */
  async gone(prefix: string): Promise<void> {
    await this.until(`${prefix} is there`, () => this.paths(prefix).length === 0);
  }

  all(neighbor: string, family?: IpFamily): readonly RouteView[] {
    return (family === undefined ? FAMILIES : [family]).flatMap((each) => [
      ...routesOf(this.service.speaker.rib.tables, each, neighbor),
    ]);
  }
}
