/**
 * Answers of DNS servers, as far as addresses go (RFC 1035, 3596): what was asked, the addresses in the answer section, and the aliases on the
 * way to them. The other sections, EDNS with them, are not looked at.
 */
import type { IpAddress } from '#base/ip/index.ts';
import { DecodeError, ipOf, isDecodeError, Reader, struct, u16be, u32be } from '#core/codec/index.ts';
import { readName } from './name.ts';

export interface DnsResponse {
  /** Lower case, without a dot at the end; undefined if nothing was asked. */
  readonly question: string | undefined;
  /** RCODE; 0: no error. */
  readonly code: number;
  /** Not all of the answer is there: the asker will ask again by TCP. */
  readonly isTruncated: boolean;
  readonly addresses: readonly AddressRecord[];
  readonly aliases: readonly AliasRecord[];
}

/** A or AAAA. */
export interface AddressRecord {
  readonly name: string;
  readonly ttlSec: number;
  readonly address: IpAddress;
}

/** CNAME. */
export interface AliasRecord {
  readonly name: string;
  readonly ttlSec: number;
  readonly target: string;
}

const header = struct({
  id: u16be,
  flags: u16be,
  questions: u16be,
  answers: u16be,
  authorities: u16be,
  additional: u16be,
});
const IS_RESPONSE = 0x8000;
const OPCODE = 0x7800;
const IS_TRUNCATED = 0x0200;
const CODE = 0x000f;

const recordHead = struct({ type: u16be, class: u16be, ttlSec: u32be, length: u16be });
const TYPE = { a: 1, cname: 5, aaaa: 28 } as const;
const INTERNET = 1;
const ADDRESS = { [TYPE.a]: ipOf(4), [TYPE.aaaa]: ipOf(6) } as const;
/** RFC 2181 section 8: a time to live has 31 bits. */
const TTL_LIMIT = 0x8000_0000;

/** Reads the message of a UDP datagram. Of a truncated one, what is there counts. Throws DecodeError, for questions too. */
export function decodeDnsResponse(bytes: Uint8Array): DnsResponse {
  const reader = new Reader(bytes);
  const { flags, questions, answers } = header.decode(reader);
  if ((flags & IS_RESPONSE) === 0) throw new DecodeError('a question, not an answer', 2, 'flags');
  if ((flags & OPCODE) !== 0) throw new DecodeError(`operation ${(flags & OPCODE) >> 11}`, 2, 'flags');
  const names: string[] = [];
  for (let at = 0; at < questions; at++) names.push(within(`questions[${at}]`, () => questionName(reader)));
  const isTruncated = (flags & IS_TRUNCATED) !== 0;
  const addresses: AddressRecord[] = [];
  const aliases: AliasRecord[] = [];
  try {
    for (let at = 0; at < answers; at++)
      within(`answers[${at}]`, () => readRecord(reader, addresses, aliases));
  } catch (error) {
    if (!isTruncated) throw error;
  }
  return { question: names[0], code: flags & CODE, isTruncated, addresses, aliases };
}

function questionName(reader: Reader): string {
  const name = readName(reader);
  reader.skip(4);
  return name;
}

function readRecord(reader: Reader, addresses: AddressRecord[], aliases: AliasRecord[]): void {
  const name = readName(reader);
  const { type, class: of, ttlSec: given, length } = recordHead.decode(reader);
  const ttlSec = given >= TTL_LIMIT ? 0 : given;
  const start = reader.offset;
  reader.skip(length);
  if (of !== INTERNET) return;
  // Pointers in it count from the start of the message.
  const data = new Reader(reader.bytes, start, start + length);
  if (type === TYPE.cname) aliases.push({ name, ttlSec, target: readName(data) });
  else if (type === TYPE.a || type === TYPE.aaaa)
    addresses.push({ name, ttlSec, address: ADDRESS[type].decode(data) });
  else return;
  data.finish();
}

function within<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isDecodeError(error) ? error.within(field) : error;
  }
}
