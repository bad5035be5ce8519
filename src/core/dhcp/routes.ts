/** Classless routes (RFC 3442): a prefix length, as many bytes of the destination as it has, and the router. */
import { formatIp, type IpAddress, type IpPrefix, ipBytes, networkOf, prefixParts } from '#base/ip/index.ts';
import { type Codec, DecodeError, listOf, type Reader, type Writer } from '#core/codec/index.ts';

export interface DhcpRoute {
  /** Without host bits. */
  readonly destination: IpPrefix;
  /** 0.0.0.0 where the destination is on the link itself. */
  readonly router: IpAddress;
}

const route: Codec<DhcpRoute> = {
  shape: {
    of: 'record',
    fields: {
      destination: { shape: { of: 'text' }, optional: false },
      router: { shape: { of: 'ip', family: 4 }, optional: false },
    },
  },
  decode: decodeRoute,
  encode: (writer: Writer, { destination, router }) => {
    const { address, length } = prefixParts(networkOf(destination));
    writer.u8(length);
    writer.raw(ipBytes(address).subarray(0, Math.ceil(length / 8)));
    writer.raw(ipBytes(router));
  },
};

function decodeRoute(reader: Reader): DhcpRoute {
  const at = reader.offset;
  const length = reader.u8();
  if (length > 32)
    throw new DecodeError(`a prefix length is at most 32, not ${length}`, at).within('destination');
  const bytes = new Uint8Array(4);
  bytes.set(reader.copy(Math.ceil(length / 8)));
  // RFC 3442: bits behind the length are not significant.
  return { destination: networkOf(`${formatIp(bytes)}/${length}`), router: formatIp(reader.copy(4)) };
}

export const classlessRoutes: Codec<readonly DhcpRoute[]> = listOf(route);
