/** The few rtnetlink and nf_tables messages that the socket tests send, as plain bytes: the codecs have tests of their own. */
import { readdirSync } from 'node:fs';

export const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddress: 20,
  newRoute: 24,
  getRoute: 26,
} as const;
export const CREATE = 0x600;
export const NFT_NEWTABLE = 0x0a00;
export const NFT_ECHO = 0x8;

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

export function attribute(type: number, ...payload: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const body = concat(...payload);
  const length = 4 + body.length;
  return concat(
    [length & 255, length >> 8, type & 255, type >> 8],
    body,
    Array((4 - (length % 4)) % 4).fill(0),
  );
}

export function message(
  type: number,
  flags: number,
  ...payload: readonly (Uint8Array | readonly number[])[]
): Uint8Array {
  const body = concat(...payload);
  return concat(
    u32(16 + body.length),
    [type & 255, type >> 8, flags & 255, flags >> 8],
    new Uint8Array(8),
    body,
  );
}

/** struct ifinfomsg of family unspecified. */
export function linkHead(index = 0, flags = 0): Uint8Array {
  return concat(u32(0), u32(index), u32(flags), u32(flags));
}

const linkInfo = (kind: string, ...data: Uint8Array[]) =>
  attribute(18, attribute(1, text(kind)), ...(data.length === 0 ? [] : [attribute(2, ...data)]));

export const newBridge = (name: string) =>
  message(RTM.newLink, CREATE, linkHead(), attribute(3, text(name)), linkInfo('bridge'));

export const newVeth = (name: string, peer: string) =>
  message(
    RTM.newLink,
    CREATE,
    linkHead(),
    attribute(3, text(name)),
    linkInfo('veth', attribute(1, linkHead(), attribute(3, text(peer)))),
  );

export const delLink = (name: string) => message(RTM.delLink, 0, linkHead(), attribute(3, text(name)));
export const getLink = (index: number) => message(RTM.getLink, 0, linkHead(index));
export const getLinks = () => message(RTM.getLink, 0, linkHead());
export const setUp = (index: number) => message(RTM.newLink, 0, linkHead(index, 1));

/** 10.x.y.z/32 on a link. */
export const newAddress = (index: number, address: readonly number[]) =>
  message(RTM.newAddress, CREATE, [2, 32, 0, 0], u32(index), attribute(2, address));

/** A route to address/32 through a link, or through a gateway. */
export function newRoute(
  address: readonly number[],
  via: { index?: number; gateway?: readonly number[] },
): Uint8Array {
  const scope = via.gateway === undefined ? 253 : 0;
  return message(
    RTM.newRoute,
    CREATE,
    [2, 32, 0, 0, 254, 99, scope, 1, 0, 0, 0, 0],
    attribute(1, address),
    ...(via.gateway === undefined ? [] : [attribute(5, via.gateway)]),
    ...(via.index === undefined ? [] : [attribute(4, u32(via.index))]),
  );
}

export const getRoutes = () => message(RTM.getRoute, 0, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** NFT_MSG_NEWTABLE in family inet. */
export const newTable = (name: string, flags = CREATE) =>
  message(NFT_NEWTABLE, flags, [1, 0, 0, 0], attribute(1, text(name)));

/** The interface index in an RTM_NEWLINK. */
export function indexOf(link: Uint8Array | undefined): number {
  if (link === undefined) throw new Error('no link');
  return new DataView(link.buffer, link.byteOffset).getInt32(20, true);
}

/** Open descriptors of this process, one that readdir itself holds included. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
