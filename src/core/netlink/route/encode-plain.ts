/**
 * New routes, neighbours and forwarding entries of an overlay, which come by the thousand: made from templates of what encode-route.ts
 * and encode-neighbour.ts give, with addresses written into a copy. Whatever is out of the ordinary is left to those.
 */
import { familyOf, type IpFamily, parseIp, parseMac, putIpv4 } from '#base/ip/index.ts';
import { type FdbEntry, MAIN_TABLE, type Neighbour, type Route, routeMetric } from '#core/kernel/index.ts';
import { type Template, templateOf } from '../template.ts';
import { encodeFdb, encodeNeighbour } from './encode-neighbour.ts';
import { encodeRoute } from './encode-route.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { isPlainRoute } from './plain-route.ts';

const ALL_ZERO_MAC = '00:00:00:00:00:00';
const DIGIT_0 = 0x30;
const IP_SAMPLES = {
  4: ['1.1.1.1', '2.2.2.2'],
  6: ['101:101:101:101:101:101:101:101', '202:202:202:202:202:202:202:202'],
} as const;
const MAC_SAMPLES = ['01:01:01:01:01:01', '02:02:02:02:02:02'] as const;

/** What a template is for: all that its messages have in common. Numbers in an order of their own for each kind of object. */
interface Entry {
  readonly traits: readonly number[];
  readonly template: Template;
}

/** The templates of one kind of object. Few are in use at a time: by link, table and protocol. */
class Templates {
  private static readonly SIZE_MAX = 8;
  private readonly entries: Entry[] = [];

  find(a: number, b: number, c: number, d: number, e: number, f: number): Template | undefined {
    for (const { traits, template } of this.entries) {
      if (traits[0] === a && traits[1] === b && traits[2] === c && traits[3] === d && traits[4] === e)
        if (traits[5] === f) return template;
    }
    return undefined;
  }

  add(traits: readonly number[], template: Template): Template {
    if (this.entries.length === Templates.SIZE_MAX) this.entries.shift();
    this.entries.push({ traits, template });
    return template;
  }
}

/** The largest message of a template, one of IPv6, is shorter. */
export const PLAIN_BYTES_MAX = 256;
const alone: Target = { bytes: new Uint8Array(PLAIN_BYTES_MAX), at: 0 };

const routes = new Templates();
const neighbours = new Templates();
const fdbEntries = new Templates();

/** Where a message is to be written. */
export interface Target {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** As encodeRoute to add, or undefined where that is to be asked. Throws MissingLinkError. */
export function encodePlainRoute(route: Route, links: LinkIndex): Uint8Array | undefined {
  return encodedAlone((target) => putPlainRoute(route, links, target));
}

/** As encodeNeighbour to add, or undefined where that is to be asked. Throws MissingLinkError. */
export function encodePlainNeighbour(entry: Neighbour, links: LinkIndex): Uint8Array | undefined {
  return encodedAlone((target) => putPlainNeighbour(entry, links, target));
}

/** As encodeFdb to add, or undefined where that is to be asked. Throws MissingLinkError. */
export function encodePlainFdb(entry: FdbEntry, links: LinkIndex): Uint8Array | undefined {
  return encodedAlone((target) => putPlainFdb(entry, links, target));
}

function encodedAlone(put: (target: Target) => number): Uint8Array | undefined {
  const length = put(alone);
  return length < 0 ? undefined : alone.bytes.slice(0, length);
}

/** Writes what encodeRoute gives to add; its length, or -1 where that is to be asked. Throws MissingLinkError. */
export function putPlainRoute(route: Route, links: LinkIndex, target: Target): number {
  const hop = route.nextHops[0];
  const { dst, scope } = route;
  if (hop?.via === undefined || hop.link === undefined || !isPlainRoute(route)) return -1;
  const family = familyOf(dst);
  if ((family === 4) !== (typeof scope === 'number') || (scope !== undefined && !isByte(scope))) return -1;
  const slash = dst.indexOf('/');
  const length = prefixLength(dst, slash);
  if (length < 0) return -1;
  const index = requireIndex(links, hop.link);
  const onlink = hop.onlink === true ? 1 : 0;
  const { protocol, table = MAIN_TABLE } = route;
  const metric = routeMetric(route);
  const template =
    routes.find(family, index, protocol, table, metric, onlink) ??
    routes.add([family, index, protocol, table, metric, onlink], routeTemplate(route, family, links));
  const { places } = template;
  const { bytes, at } = target;
  const size = putTemplate(template, bytes, at);
  if (!putIp(dst, slash, family, bytes, at + (places[0] as number))) return -1;
  if (!putIp(hop.via, hop.via.length, family, bytes, at + (places[2] as number))) return -1;
  bytes[at + (places[1] as number)] = length;
  if (family === 4) bytes[at + (places[3] as number)] = scope as number;
  return size;
}

function routeTemplate({ scope: _, ...rest }: Route, family: IpFamily, links: LinkIndex): Template {
  const ip = IP_SAMPLES[family];
  const made = (dst: string, length: number, via: string, scope?: number) =>
    encodeRoute(
      'add',
      {
        ...rest,
        dst: `${dst}/${length}`,
        nextHops: [{ ...rest.nextHops[0], via }],
        ...(scope === undefined ? {} : { scope }),
      },
      links,
    );
  const samples = [ip, [1, 2], ip] as const;
  if (family === 6) return templateOf<[string, number, string]>(samples, made);
  return templateOf<[string, number, string, number]>([...samples, [1, 2]], made);
}

/** As putPlainRoute, for encodeNeighbour. */
export function putPlainNeighbour(entry: Neighbour, links: LinkIndex, target: Target): number {
  const { address, mac, protocol } = entry;
  const family = familyOf(address);
  const index = requireIndex(links, entry.link);
  const template =
    neighbours.find(family, index, protocol, 0, 0, 0) ??
    neighbours.add(
      [family, index, protocol, 0, 0, 0],
      templateOf<[string, string]>([IP_SAMPLES[family], MAC_SAMPLES], (ip, lladdr) =>
        encodeNeighbour('add', { ...entry, address: ip, mac: lladdr }, links),
      ),
    );
  return fill(template, target, address, family, mac);
}

/** As putPlainRoute, for encodeFdb. */
export function putPlainFdb(entry: FdbEntry, links: LinkIndex, target: Target): number {
  const { dst, mac } = entry;
  if (mac === ALL_ZERO_MAC) return -1;
  const family = familyOf(dst);
  const index = requireIndex(links, entry.link);
  const template =
    fdbEntries.find(family, index, 0, 0, 0, 0) ??
    fdbEntries.add(
      [family, index, 0, 0, 0, 0],
      templateOf<[string, string]>([IP_SAMPLES[family], MAC_SAMPLES], (ip, lladdr) =>
        encodeFdb('add', { ...entry, dst: ip, mac: lladdr }, links),
      ),
    );
  return fill(template, target, dst, family, mac);
}

function fill(template: Template, { bytes, at }: Target, ip: string, family: IpFamily, mac: string): number {
  const { places } = template;
  const size = putTemplate(template, bytes, at);
  return putIp(ip, ip.length, family, bytes, at + (places[0] as number)) &&
    putMac(mac, bytes, at + (places[1] as number))
    ? size
    : -1;
}

/** In a loop: for so few bytes a call of set() takes longer. */
function putTemplate({ bytes: sample }: Template, bytes: Uint8Array, at: number): number {
  const { length } = sample;
  for (let i = 0; i < length; i++) bytes[at + i] = sample[i] as number;
  return length;
}

function putIp(text: string, end: number, family: IpFamily, bytes: Uint8Array, at: number): boolean {
  if (family === 4) return putIpv4(text, end, bytes, at);
  const raw = parseIp(end === text.length ? text : text.slice(0, end));
  if (raw?.length !== 16) return false;
  bytes.set(raw, at);
  return true;
}

/** With colons only: a codec of link-layer addresses takes nothing else. */
function putMac(text: string, bytes: Uint8Array, at: number): boolean {
  const raw = text.includes('-') ? undefined : parseMac(text);
  if (raw === undefined) return false;
  for (let i = 0; i < 6; i++) bytes[at + i] = raw[i] as number;
  return true;
}

/** The number behind the slash, of one to three digits; -1 if it is none, or no byte. */
function prefixLength(prefix: string, slash: number): number {
  const digits = prefix.length - slash - 1;
  if (slash < 0 || digits < 1 || digits > 3) return -1;
  let length = 0;
  for (let at = slash + 1; at < prefix.length; at++) {
    const digit = prefix.charCodeAt(at) - DIGIT_0;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length > 255 ? -1 : length;
}

function isByte(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
}
