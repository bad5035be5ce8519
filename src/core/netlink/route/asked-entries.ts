/**
 * Forwarding entries that were asked for by the thousand: a dump that shows one again need not be decoded to know it. They are found by
 * their MAC and compared by their bytes; whatever is not just as it was asked for is left to decoding.
 */
import type { FdbEntry } from '#core/kernel/index.ts';
import { HEADER_BYTES, messageType } from '../message.ts';
import type { AdditionPack, PlainAddition } from './addition-pack.ts';
import { attributeAt, linkOfMatch } from './echo.ts';
import { RTM_NEIGHBOUR } from './neighbour.ts';
import { AF } from './scope.ts';

const LINK_LAYER_ADDRESS = 2;
const ATTRIBUTE_HEADER_BYTES = 4;
const MAC_BYTES = 6;

export interface FoundEntry {
  readonly op: PlainAddition & { readonly object: FdbEntry };
  /** The number of its link as the message has it. */
  readonly index: number;
}

export class AskedEntries {
  /** By MAC as a number. Of several with one MAC the last: the others are decoded. */
  private readonly byMac = new Map<number, { readonly pack: AdditionPack; readonly at: number }>();

  add(pack: AdditionPack, at: number): void {
    const mac = macOf(pack.requestOf(at));
    if (mac !== undefined) this.byMac.set(mac, { pack, at });
  }

  /** The addition that a message shows as it was asked for. */
  find(message: Uint8Array): FoundEntry | undefined {
    if (this.byMac.size === 0 || messageType(message) !== RTM_NEIGHBOUR.NEW) return undefined;
    if (message[HEADER_BYTES] !== AF.BRIDGE) return undefined;
    const mac = macOf(message);
    const asked = mac === undefined ? undefined : this.byMac.get(mac);
    if (asked === undefined) return undefined;
    const index = linkOfMatch(asked.pack.requestOf(asked.at), message);
    return index === undefined ? undefined : { op: asked.pack.ops[asked.at] as FoundEntry['op'], index };
  }

  clear(): void {
    this.byMac.clear();
  }
}

function macOf(message: Uint8Array): number | undefined {
  const at = attributeAt(message, LINK_LAYER_ADDRESS);
  const end = at + ATTRIBUTE_HEADER_BYTES + MAC_BYTES;
  if (at < 0 || end > message.length) return undefined;
  let mac = 0;
  for (let place = end - MAC_BYTES; place < end; place++) mac = mac * 256 + (message[place] as number);
  return mac;
}
