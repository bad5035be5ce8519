/** How many messages of a session have come and gone, by type. */

/** RFC 4271 section 4.1 and RFC 2918, by their numbers; the type is the octet behind marker and length. */
const TYPES = ['open', 'update', 'notification', 'keepalive', 'refresh'] as const;
const TYPE_AT = 18;

export type MessageCount = Readonly<Record<(typeof TYPES)[number], number>>;
export type Direction = 'in' | 'out';

export class MessageCounts {
  readonly #counts = { in: [0, 0, 0, 0, 0], out: [0, 0, 0, 0, 0] };

  /** One message, whole. */
  count(direction: Direction, message: Uint8Array): void {
    const at = (message[TYPE_AT] ?? 0) - 1;
    const counts = this.#counts[direction];
    counts[at] = (counts[at] ?? 0) + 1;
  }

  of(direction: Direction): MessageCount {
    const counts = this.#counts[direction];
    return Object.fromEntries(TYPES.map((type, at) => [type, counts[at] ?? 0])) as MessageCount;
  }
}
