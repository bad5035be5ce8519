/**
 * The networks this host is a node of, each with an agent of its own: a number that no other has, which tells its objects in the kernel
 * apart, and what it uses (network-use.ts). Kept in files, so that a network has the same number whenever its agent comes back.
 * Source of the numbers' meaning: core/kernel/owners.ts.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FURTHER_NETWORKS } from '#core/kernel/index.ts';
import { atomicCreate, atomicWrite, hasCode, removeIfExists } from '#io/files/index.ts';
import { type NetworkUse, networkUse, useConflict } from './network-use.ts';
import { lockNetworks } from './node-lock.ts';

/** The network of an agent that is not told of several. */
export const FIRST_NETWORK = 'default';
/** As a part of a path and of a DNS label. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

const claim = z.object({ name: z.string(), ...networkUse.partial({ subnetFile: true }).shape });
export type NetworkClaim = Readonly<z.output<typeof claim>> & { readonly number: number };

/** A network that this host cannot be a node of as things are; the message names the other one. */
export class HostNetworkError extends Error {
  override readonly name = 'HostNetworkError';
}

/** True for what can be the name of a network. */
export function isNetworkName(text: string): boolean {
  return NAME.test(text);
}

export class HostNetworks {
  readonly #folder: string;

  /** `folder`: where the claims lie; made when there is one. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All that are known, by number. What cannot be read is taken for a network without a name: its number is not given away. */
  list(): NetworkClaim[] {
    return this.#names()
      .flatMap((file) => {
        const number = /^(\d)\.json$/.exec(file)?.[1];
        return number === undefined ? [] : [{ ...this.#read(file), number: Number(number) }];
      })
      .toSorted((a, b) => a.number - b.number);
  }

  /**
   * The number of a network: its own, or the first that is free. `mayBeFirst`: 0 may be it, whose agent serves CNI. Rejects with
   * HostNetworkError for a name that is none, or when all are taken.
   */
  async claim(name: string, mayBeFirst: boolean): Promise<number> {
    if (!isNetworkName(name))
      throw new HostNetworkError(
        `network ${JSON.stringify(name)}: a name has up to 32 lower case letters, digits and hyphens`,
      );
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (;;) {
      const claims = this.list();
      const own = claims.find((each) => each.name === name);
      if (own !== undefined) return own.number;
      const taken = new Set(claims.map(({ number }) => number));
      const free = Array.from({ length: FURTHER_NETWORKS + 1 }, (_, number) => number).find(
        (number) => !taken.has(number) && (number > 0 || mayBeFirst),
      );
      if (free === undefined)
        throw new HostNetworkError(
          `network ${name}: this host is a node of ${taken.size} already (${claims.map((each) => each.name).join(', ')}); ` +
            'take one off: poplin cleanup --network NAME',
        );
      const text = JSON.stringify({ name });
      if (await atomicCreate(this.#path(free), text, { mode: 0o600 })) return free;
    }
  }

  /**
   * Writes down what a network uses. Rejects with HostNetworkError if another one of this host uses it too: then what it used before stays,
   * and where that is nothing its number is given back.
   */
  async use(number: number, name: string, wish: NetworkUse): Promise<void> {
    await using _lock = await lockNetworks();
    const claims = this.list();
    for (const other of claims) {
      if (other.number === number) continue;
      const conflict = useConflict(wish, other);
      if (conflict === undefined) continue;
      const isNew = claims.every((each) => each.number !== number || each.subnetFile === undefined);
      if (isNew) await this.forget(number);
      throw new HostNetworkError(
        `network ${name}: ${conflict} is network ${other.name}'s on this host: choose another, or take that one off with ` +
          `poplin cleanup --network ${other.name}`,
      );
    }
    await atomicWrite(this.#path(number), JSON.stringify({ name, ...wish }), { mode: 0o600 });
  }

  async forget(number: number): Promise<void> {
    await removeIfExists(this.#path(number));
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []; // no network was ever claimed
      throw error;
    }
  }

  #read(file: string): z.output<typeof claim> {
    try {
      return claim.parse(JSON.parse(readFileSync(join(this.#folder, file), 'utf8')));
    } catch {
      return { name: '', prefixes: [], devices: [], ports: [] };
    }
  }

  #path(number: number): string {
    return join(this.#folder, `${number}.json`);
  }
}
