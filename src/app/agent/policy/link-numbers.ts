/**
 * The numbers that links of pods have, by which the guard finds them sooner than by their names. A link has one as soon as it is made, which is
 * after its pod's policies are in the kernel, and another one when somebody makes it anew. Until the kernel is told, links are found by name;
 * so it is told of many at once, with the next change of policies or a moment later.
 */
import type { Clock } from '#base/clock.ts';
import type { Kernel } from '#core/kernel/index.ts';
import type { LocalEndpoint } from '#core/policy/index.ts';
import type { Endpoints } from './endpoints.ts';

/** How long numbers are gathered. */
const GATHERED_MS = 250;
/** How keys of links begin. */
const LINK_KEY = 'link ';

/** What of RealKernel is used. */
export interface LinkNumbers extends Pick<Kernel, 'watch'> {
  /** The index of a link, as far as it is known: a listener is told of a change. */
  readonly linkIndex: (link: string) => number | undefined;
}

export interface PodLinksOptions {
  /** Absent: links are known by their names alone. */
  readonly links?: LinkNumbers;
  readonly endpoints: Pick<Endpoints, 'keys' | 'keysOf'>;
  readonly clock: Clock;
  /** Pods whose links may have other numbers. */
  readonly onChanged: (keys: Iterable<string>) => void;
  /** Nothing has told the kernel of them since: it is time. */
  readonly onDue: () => void;
}

export class PodLinks implements Disposable {
  readonly #options: PodLinksOptions;
  readonly #watch: Disposable | undefined;
  #timer: Disposable | undefined;

  constructor(options: PodLinksOptions) {
    this.#options = options;
    const { links, endpoints } = options;
    this.#watch = links?.watch({
      changed: (keys) => this.#changed(keys),
      resynced: () => this.renumber(endpoints.keys()),
    });
  }

  /** The links of these pods may have other numbers than they had. */
  renumber(keys: Iterable<string>): void {
    const { links, clock, onChanged, onDue } = this.#options;
    if (links === undefined) return;
    onChanged(keys);
    this.#timer ??= clock.setTimeout(GATHERED_MS, () => {
      this.#timer = undefined;
      onDue();
    });
  }

  /** With the number that its link has now. */
  numbered(endpoint: LocalEndpoint): LocalEndpoint {
    const { links } = this.#options;
    const linkNumber = endpoint.link === undefined ? undefined : links?.linkIndex(endpoint.link);
    return linkNumber === undefined ? endpoint : { ...endpoint, linkNumber };
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  #changed(keys: ReadonlySet<string>): void {
    const pods: string[] = [];
    for (const key of keys)
      if (key.startsWith(LINK_KEY)) pods.push(...this.#options.endpoints.keysOf(key.slice(LINK_KEY.length)));
    if (pods.length > 0) this.renumber(pods);
  }
}
