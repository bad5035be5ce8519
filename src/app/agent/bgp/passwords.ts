/** Passwords of sessions, which BGPPeer and BGPConfiguration name by a Secret and its key. They are read again now and then. */
import type { Clock } from '#base/clock.ts';
import type { NeighborConfig } from '#core/bgp/speaker/index.ts';
import type { KubeObject, ObjectStore, ResourcePath } from '#core/store/index.ts';

const SECRETS: ResourcePath = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};
const REFRESH_MS = 30_000;

export interface PasswordsOptions {
  readonly store: ObjectStore;
  /** Where the Secrets are. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One is known that was not, or is another. */
  readonly onChange: () => void;
}

export class Passwords implements Disposable {
  readonly #options: PasswordsOptions;
  /** By name and key; a text that begins with a blank says why there is none. */
  readonly #found = new Map<string, { readonly password: string } | { readonly problem: string }>();
  #timer: Disposable | undefined;

  constructor(options: PasswordsOptions) {
    this.#options = options;
  }

  /** Neighbours with their passwords; without those whose password is not known. Problems say why. */
  resolve(neighbors: readonly NeighborConfig[], problems: string[]): readonly NeighborConfig[] {
    const names = new Set<string>();
    const resolved = neighbors.flatMap((neighbor) => {
      const name = neighbor.session.password;
      if (name === undefined) return [neighbor];
      names.add(name);
      const found = this.#found.get(name);
      if (found === undefined) return [];
      if ('password' in found)
        return [{ ...neighbor, session: { ...neighbor.session, password: found.password } }];
      problems.push(`${neighbor.key}: ${found.problem}`);
      return [];
    });
    for (const name of this.#found.keys()) if (!names.has(name)) this.#found.delete(name);
    for (const name of names) if (!this.#found.has(name)) void this.#read(name);
    this.#refreshLater(names);
    return resolved;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #refreshLater(names: ReadonlySet<string>): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (names.size === 0) return;
    this.#timer = this.#options.clock.setTimeout(REFRESH_MS, () => {
      for (const name of names) void this.#read(name);
      this.#refreshLater(names);
    });
  }

  async #read(reference: string): Promise<void> {
    const { store, namespace, signal, onChange } = this.#options;
    const [, name = '', key = ''] = /^secret\/([^/]+)\/(.+)$/.exec(reference) ?? [];
    const before = this.#found.get(reference);
    let now: { readonly password: string } | { readonly problem: string };
    try {
      const secret = await store.get<KubeObject>(SECRETS, name, { namespace, signal });
      const encoded = (secret['data'] as Readonly<Record<string, string>> | undefined)?.[key];
      now =
        encoded === undefined
          ? { problem: `Secret ${namespace}/${name} has no key "${key}"` }
          : { password: Buffer.from(encoded, 'base64').toString('utf8').trim() };
    } catch (error) {
      if (signal.aborted) return;
      // What was known stays in force while the server is away.
      if (before !== undefined && 'password' in before) return;
      now = { problem: `Secret ${namespace}/${name}: ${(error as Error).message}` };
    }
    if (JSON.stringify(before) === JSON.stringify(now)) return;
    this.#found.set(reference, now);
    onChange();
  }
}
