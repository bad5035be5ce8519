/**
 * The networks this host is a node of, each with an agent of its own, and what each uses: a number that no other has, which tells its objects
 * in the kernel apart, pod networks that do not overlap, devices and ports. Kept in files, so that a network has the same number
 * whenever its agent comes back. Source of the numbers' meaning: core/kernel/owners.ts.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type IpPrefix, prefixesOverlap } from '#base/ip/index.ts';
import { FURTHER_NETWORKS } from '#core/kernel/index.ts';
import { FAMILY_KEYS, type NetConf } from '#core/lease/index.ts';
import { atomicWrite, removeIfExists } from '#io/files/index.ts';

/** The network of an agent that is not told of several. */
export const FIRST_NETWORK = 'default';
/** As a part of a path and of a DNS label. */
const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

const claim = z.object({
  name: z.string(),
  subnetFile: z.string().optional(),
  prefixes: z.array(z.string()).default([]),
  /** `device flannel.1`, `UDP port 8285`. */
  uses: z.array(z.string()).default([]),
});
export type NetworkClaim = Readonly<z.output<typeof claim>> & { readonly number: number };

/** A network that this host cannot be a node of as things are; the message names the other one. */
export class HostNetworkError extends Error {
  override readonly name = 'HostNetworkError';
}

export class HostNetworks {
  readonly #folder: string;

  /** `folder`: where the claims lie; made when there is one. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** All that are known, by number. What cannot be read is taken for a network without a name: its number is not given away. */
  list(): NetworkClaim[] {
    let names: string[];
    try {
      names = readdirSync(this.#folder);
    } catch {
      return []; // no network was ever claimed
    }
    return names
      .flatMap((file) => {
        const number = /^(\d)\.json$/.exec(file)?.[1];
        return number === undefined ? [] : [{ ...this.#read(file), number: Number(number) }];
      })
      .toSorted((a, b) => a.number - b.number);
  }

  /** The number of a network, its own or the first that is free. Throws HostNetworkError for a name that is none, or when all are taken. */
  claim(name: string): number {
    if (!NAME.test(name))
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
        (number) => !taken.has(number),
      );
      if (free === undefined)
        throw new HostNetworkError(
          `network ${name}: this host is a node of ${taken.size} already (${claims.map((each) => each.name).join(', ')}); ` +
            'take one off: poplin cleanup --network NAME',
        );
      if (this.#take(free, name)) return free;
    }
  }

  /** Writes down what a network uses. Throws HostNetworkError if another one of this host uses it too. */
  async use(number: number, name: string, wish: NetworkUse): Promise<void> {
    for (const other of this.list()) {
      if (other.number === number) continue;
      const conflict = conflictOf(wish, other);
      if (conflict !== undefined)
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

  #take(number: number, name: string): boolean {
    try {
      writeFileSync(this.#path(number), JSON.stringify({ name }), { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  #read(file: string): z.output<typeof claim> {
    try {
      return claim.parse(JSON.parse(readFileSync(join(this.#folder, file), 'utf8')));
    } catch {
      return { name: '', prefixes: [], uses: [] };
    }
  }

  #path(number: number): string {
    return join(this.#folder, `${number}.json`);
  }
}

/** What a network needs for itself alone on a host. */
export interface NetworkUse {
  readonly subnetFile: string;
  readonly prefixes: readonly IpPrefix[];
  readonly uses: readonly string[];
}

/** What the configuration of a network takes; `devices` are those its backend makes. */
export function networkUse(netConf: NetConf, subnetFile: string, devices: readonly string[]): NetworkUse {
  const { backend } = netConf;
  return {
    subnetFile,
    prefixes: FAMILY_KEYS.flatMap((key) => netConf[key]?.network ?? []),
    uses: [
      ...devices.map((device) => `device ${device}`),
      // VXLAN devices of several networks share a port: their packets are told apart by the VNI.
      ...(backend.type === 'udp' ? [`UDP port ${backend.port}`] : []),
    ],
  };
}

function conflictOf(wish: NetworkUse, other: NetworkClaim): string | undefined {
  if (other.subnetFile === wish.subnetFile) return `the file ${wish.subnetFile}`;
  for (const prefix of wish.prefixes) {
    const overlapping = other.prefixes.find((each) => prefixesOverlap(each, prefix));
    if (overlapping !== undefined)
      return prefix === overlapping ? prefix : `${prefix}, in part (${overlapping}),`;
  }
  return wish.uses.find((use) => other.uses.includes(use));
}
