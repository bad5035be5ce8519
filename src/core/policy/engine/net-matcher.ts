/** Lists of nets, parsed once: rules compare the same few with every flow. */
import { familyOf, type IpAddress, type IpPrefix, ipBytes, prefixParts } from '#base/ip/index.ts';

interface Net {
  readonly bytes: Uint8Array;
  readonly length: number;
}

const parsed = new WeakMap<readonly IpPrefix[], readonly Net[]>();

/** Whether an address, given as its bytes, lies in one of the nets. Lists are taken to stay as they are. */
export function isInNets(nets: readonly IpPrefix[], address: Uint8Array): boolean {
  let list = parsed.get(nets);
  if (list === undefined) parsed.set(nets, (list = nets.map(parse)));
  return list.some((net) => isIn(net, address));
}

/** An address that flows are asked about, with its bytes. */
export class Address {
  readonly text: IpAddress;
  readonly bytes: Uint8Array;

  constructor(text: IpAddress) {
    this.text = text;
    this.bytes = ipBytes(text);
  }

  get family(): 4 | 6 {
    return familyOf(this.text);
  }
}

function parse(net: IpPrefix): Net {
  const { address, length } = prefixParts(net);
  return { bytes: ipBytes(address), length };
}

function isIn({ bytes, length }: Net, address: Uint8Array): boolean {
  if (bytes.length !== address.length) return false;
  const whole = length >> 3;
  for (let at = 0; at < whole; at++) if (bytes[at] !== address[at]) return false;
  const rest = 0xff00 >> (length & 7);
  return (length & 7) === 0 || (((bytes[whole] ?? 0) ^ (address[whole] ?? 0)) & rest & 0xff) === 0;
}
