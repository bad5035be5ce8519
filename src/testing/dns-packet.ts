/** DNS messages as servers write them, with names compressed wherever they may be (RFC 1035 section 4.1.4). */
import { concat, utf8 } from '#base/bytes.ts';
import { familyOf, ipBytes } from '#base/ip/index.ts';

/** One record of an answer: what it is follows from its value, an address or another name. */
export interface DnsRecordWish {
  readonly name: string;
  readonly ttlSec?: number;
  readonly address?: string;
  readonly target?: string;
}

export interface DnsAnswerWish {
  readonly question?: string;
  readonly records?: readonly DnsRecordWish[];
  /** Default: a response without error. */
  readonly flags?: number;
}

const TYPE = { a: 1, cname: 5, aaaa: 28, opt: 41 } as const;
const DEFAULT_TTL_SEC = 60;

/** An answer, with EDNS behind it. */
export function dnsAnswer({ question, records = [], flags = 0x8180 }: DnsAnswerWish): Uint8Array {
  const names = new Map<string, number>();
  const out: number[] = [...word(1), ...word(flags), ...word(question === undefined ? 0 : 1)];
  out.push(...word(records.length), ...word(0), ...word(1));
  const putName = (name: string): void => {
    const known = name === '' ? undefined : names.get(name);
    if (known !== undefined) {
      out.push(...word(0xc000 | known));
      return;
    }
    if (name === '') {
      out.push(0);
      return;
    }
    names.set(name, out.length);
    const [label = '', ...rest] = name.split('.');
    out.push(label.length, ...utf8(label));
    putName(rest.join('.'));
  };
  if (question !== undefined) {
    putName(question);
    out.push(...word(TYPE.a), ...word(1));
  }
  for (const { name, ttlSec = DEFAULT_TTL_SEC, address, target } of records) {
    putName(name);
    const type = address === undefined ? TYPE.cname : familyOf(address) === 4 ? TYPE.a : TYPE.aaaa;
    out.push(...word(type), ...word(1), ...word(ttlSec >>> 16), ...word(ttlSec & 0xffff));
    const lengthAt = out.length;
    out.push(0, 0);
    if (address === undefined) putName(target ?? '');
    else out.push(...ipBytes(address));
    const length = out.length - lengthAt - 2;
    out.splice(lengthAt, 2, ...word(length));
  }
  const opt = [0, ...word(TYPE.opt), ...word(1232), 0, 0, 0, 0, ...word(0)];
  return concat(Uint8Array.from(out), Uint8Array.from(opt));
}

function word(value: number): [number, number] {
  return [(value >>> 8) & 0xff, value & 0xff];
}
