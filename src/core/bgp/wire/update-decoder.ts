/**
 * Reads the UPDATEs of one session, with the treatment of errors of RFC 7606: what comes out are routes to withdraw and to announce, and
 * what was wrong. What ends the session is thrown as a MessageError.
 */
import { formatIp, type IpAddress } from '#base/ip/index.ts';
import type { Nlri, PathAttributes, RouteFamily } from '../model.ts';
import type { RouteUpdate, RouteWithdrawal } from '../ports.ts';
import { checkHost } from './attribute-checks.ts';
import { AttributeMemory } from './attribute-memory.ts';
import { holdsRoutes, KIND_BITS, readAttributes } from './attribute-reader.ts';
import { type Piece, scanAttributes, scanReach, scanUnreach } from './attribute-scan.ts';
import { MP_REACH, MP_UNREACH, OPTIONAL } from './attribute-table.ts';
import type { UpdateContext, UpdateFault, WireAttributes } from './attributes.ts';
import { MessageError, withNotification } from './error.ts';
import { familyOfNumbers } from './family.ts';
import { readNlri } from './nlri.ts';
import { ERROR, UPDATE_ERROR } from './notification-table.ts';

/** What an UPDATE says. In order: what is withdrawn goes before what is announced (RFC 4271 section 3.1). */
export interface DecodedUpdate {
  readonly withdrawn: readonly RouteWithdrawal[];
  readonly announced: readonly RouteUpdate[];
  /** It is the mark of a family whose routes are complete (RFC 4724 section 2), and nothing else. */
  readonly endOfRib?: RouteFamily;
  readonly faults: readonly UpdateFault[];
}

/** Reachable prefixes that one next hop goes with; `at` and `end` tell where it lies, of MP_REACH_NLRI. */
interface Reach {
  readonly family: RouteFamily;
  readonly nlri: readonly Nlri[];
  readonly nextHopAt: number;
  readonly nextHopEnd: number;
}

const NO_FAULTS: readonly UpdateFault[] = [];

export class UpdateDecoder {
  readonly #context: UpdateContext;
  readonly #memory: AttributeMemory;

  /** `memory` may be shared by decoders of sessions with peers of one AS that have agreed on the same: what is without fault depends on that. */
  constructor(context: UpdateContext, memory = new AttributeMemory()) {
    this.#context = context;
    this.#memory = memory;
  }

  /** The body of an UPDATE, behind the header. Throws MessageError; bytes are not kept. */
  decode(body: Uint8Array): DecodedUpdate {
    try {
      return this.#decode(body);
    } catch (error) {
      throw withNotification(error, ERROR.update, UPDATE_ERROR.network);
    }
  }

  #decode(body: Uint8Array): DecodedUpdate {
    const withdrawnEnd = 2 + lengthAt(body, 0);
    const attributesAt = withdrawnEnd + 2;
    const attributesEnd = attributesAt + lengthAt(body, withdrawnEnd);
    // RFC 4271 section 6.3: lengths that are more than the message's.
    if (attributesEnd > body.length)
      throw new MessageError(ERROR.update, UPDATE_ERROR.attributeList, 'lengths exceed the message');
    const faults: UpdateFault[] = [];
    const pieces = scanAttributes(body, attributesAt, attributesEnd, faults);
    const withdrawn: RouteWithdrawal[] = [];
    const reaches: Reach[] = [];
    // RFC 7606 section 3, point i: what is withdrawn has to be as well-formed as what is announced.
    this.#take(body, 4, 2, withdrawnEnd, faults, (nlri) => withdrawn.push({ family: 4, nlri }));
    this.#take(body, 4, attributesEnd, body.length, faults, (nlri) =>
      reaches.push({ family: 4, nlri, nextHopAt: 0, nextHopEnd: 0 }),
    );
    const endOfRib = this.#takeMultiprotocol(body, pieces, faults, withdrawn, reaches) ?? plainEndOfRib(body);
    const isAlone = pieces.length <= 1 && withdrawn.length + reaches.length === 0;
    if (endOfRib !== undefined && isAlone && this.#context.families.has(endOfRib))
      return { withdrawn: [], announced: [], endOfRib, faults };
    return this.#judge(body, pieces, { withdrawn, reaches, faults });
  }

  /** Prefixes of a family that was agreed; others are passed over. */
  #take(
    body: Uint8Array,
    family: RouteFamily,
    at: number,
    end: number,
    faults: UpdateFault[],
    give: (nlri: Nlri[]) => void,
  ): void {
    if (at >= end) return;
    const agreed = this.#context.families.get(family);
    if (agreed === undefined) faults.push(discarded(0, `prefixes of IPv${family}, which is not agreed`));
    else give(readNlri(body, at, end, family, agreed.addPathReceive));
  }

  /** The family whose mark of the end an MP_UNREACH_NLRI without prefixes is. */
  #takeMultiprotocol(
    body: Uint8Array,
    pieces: readonly Piece[],
    faults: UpdateFault[],
    withdrawn: RouteWithdrawal[],
    reaches: Reach[],
  ): RouteFamily | undefined {
    let endOfRib: RouteFamily | undefined;
    for (const piece of pieces) {
      if (holdsRoutes(piece.type) && (piece.flags & KIND_BITS) !== OPTIONAL) {
        // RFC 7606 section 3, point c; the routes are read all the same, to be withdrawn.
        const reason = `flags ${piece.flags.toString(16)} instead of ${OPTIONAL.toString(16)}`;
        faults.push({ attribute: piece.type, treatment: 'treat-as-withdraw', reason });
      }
      if (piece.type === MP_UNREACH) {
        const { afi, safi, nlriAt, nlriEnd } = scanUnreach(body, piece);
        const family = this.#agreedFamily(piece, afi, safi, faults);
        if (family === undefined) continue;
        if (nlriAt === nlriEnd) endOfRib = family;
        this.#take(body, family, nlriAt, nlriEnd, faults, (nlri) => withdrawn.push({ family, nlri }));
      } else if (piece.type === MP_REACH) {
        const { afi, safi, nextHopAt, nextHopEnd, nlriAt, nlriEnd } = scanReach(body, piece);
        const family = this.#agreedFamily(piece, afi, safi, faults);
        if (family === undefined) continue;
        this.#checkNextHopLength(family, nextHopEnd - nextHopAt);
        this.#take(body, family, nlriAt, nlriEnd, faults, (nlri) =>
          reaches.push({ family, nlri, nextHopAt, nextHopEnd }),
        );
      }
    }
    return endOfRib;
  }

  #agreedFamily(piece: Piece, afi: number, safi: number, faults: UpdateFault[]): RouteFamily | undefined {
    const family = familyOfNumbers(afi, safi);
    if (family !== undefined && this.#context.families.has(family)) return family;
    faults.push(discarded(piece.type, `afi ${afi} safi ${safi} is not agreed`));
    return undefined;
  }

  #checkNextHopLength(family: RouteFamily, length: number): void {
    const hasIpv6 = family === 6 || this.#context.families.get(family)?.extendedNextHop === true;
    if (length === 4 ? family === 4 : hasIpv6 && (length === 16 || length === 32)) return;
    // RFC 7606 section 7.11: where the prefixes begin cannot be relied upon.
    throw new MessageError(ERROR.update, UPDATE_ERROR.optionalAttribute, `a next hop of ${length} bytes`);
  }

  #judge(
    body: Uint8Array,
    pieces: readonly Piece[],
    found: { withdrawn: RouteWithdrawal[]; reaches: readonly Reach[]; faults: UpdateFault[] },
  ): DecodedUpdate {
    const { withdrawn, reaches, faults } = found;
    const announced: RouteUpdate[] = [];
    const hasRoutes = reaches.length > 0 || pieces.some(({ type }) => type === MP_REACH);
    if (!hasRoutes) {
      // RFC 7606 section 5.2: a fault without a route to withdraw leaves nothing but the reset.
      if (pieces.some(({ type }) => type !== MP_UNREACH)) readAttributes(body, pieces, this.#context, faults);
      const fault = faults.find(({ treatment }) => treatment === 'treat-as-withdraw');
      if (fault !== undefined)
        throw new MessageError(ERROR.update, UPDATE_ERROR.attributeList, `${fault.reason}, and no prefixes`);
    }
    for (const { family, nlri, nextHopAt, nextHopEnd } of reaches) {
      const attributes = this.#attributesOf(body, pieces, nextHopAt, nextHopEnd, faults);
      // RFC 7606 section 2: treat-as-withdraw.
      if (attributes === undefined) withdrawn.push({ family, nlri });
      else announced.push({ family, attributes, nlri });
    }
    return { withdrawn, announced, faults: faults.length === 0 ? NO_FAULTS : faults };
  }

  /** Undefined if the routes are to be withdrawn. */
  #attributesOf(
    body: Uint8Array,
    pieces: readonly Piece[],
    nextHopAt: number,
    nextHopEnd: number,
    faults: UpdateFault[],
  ): PathAttributes | undefined {
    const isClean = faults.length === 0;
    const known = isClean ? this.#memory.find(body, pieces, nextHopAt, nextHopEnd) : undefined;
    if (known !== undefined) return known;
    const read = readAttributes(body, pieces, this.#context, faults);
    if (nextHopEnd > nextHopAt) takeNextHop(read, body.subarray(nextHopAt, nextHopEnd));
    // RFC 7606 section 7.11 leaves what is wrong with a next hop of the right length to RFC 4271, and section 3, point e, to treat-as-withdraw.
    const reason = read.nextHop === undefined ? undefined : checkHost(read.nextHop);
    if (reason !== undefined) faults.push({ attribute: MP_REACH, treatment: 'treat-as-withdraw', reason });
    const missing = missingAttribute(read);
    // RFC 7606 section 3, point d.
    if (missing !== undefined)
      faults.push({ attribute: 0, treatment: 'treat-as-withdraw', reason: `${missing} is missing` });
    // RFC 7606 section 3, point h: the strongest treatment counts.
    if (faults.some(({ treatment }) => treatment === 'treat-as-withdraw')) return undefined;
    const attributes = read as PathAttributes;
    if (isClean && faults.length === 0) this.#memory.keep(attributes);
    return attributes;
  }
}

/** RFC 4724 section 2: of IPv4 unicast it is an UPDATE that is empty. */
function plainEndOfRib(body: Uint8Array): RouteFamily | undefined {
  return body.length === 4 ? 4 : undefined;
}

function lengthAt(body: Uint8Array, at: number): number {
  if (at + 2 > body.length)
    throw new MessageError(ERROR.update, UPDATE_ERROR.attributeList, 'lengths exceed the message', at);
  return ((body[at] as number) << 8) | (body[at + 1] as number);
}

function missingAttribute({ origin, asPath, nextHop }: WireAttributes): string | undefined {
  if (origin === undefined) return 'ORIGIN';
  if (asPath === undefined) return 'AS_PATH';
  return nextHop === undefined ? 'NEXT_HOP' : undefined;
}

/** RFC 4760 section 3: that of MP_REACH_NLRI counts. RFC 2545 section 3: behind a global address there may be a link-local one. */
function takeNextHop(attributes: WireAttributes, bytes: Uint8Array): void {
  const first = formatIp(bytes.subarray(0, Math.min(16, bytes.length)));
  const second: IpAddress | undefined = bytes.length === 32 ? formatIp(bytes.subarray(16)) : undefined;
  // Some who have no global address write none there.
  if (second !== undefined && first === '::') attributes.nextHop = second;
  else attributes.nextHop = first;
  if (second !== undefined && second !== '::') attributes.linkLocalNextHop = second;
}

function discarded(attribute: number, reason: string): UpdateFault {
  return { attribute, treatment: 'attribute-discard', reason };
}
