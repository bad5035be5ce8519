/** For packets that must not have crossed a router: classic BPF that takes those with a hop limit of 255 alone. */
import type { IpFamily } from '#base/ip/index.ts';

const GREATEST_HOP_LIMIT = 255;

/** For attachFilter; the hop limit is looked at where it is in the header of the network layer (SKF_NET_OFF). */
export function hopLimitFilter(family: IpFamily): Uint8Array {
  const networkHeader = -0x10_0000;
  const place = networkHeader + (family === 4 ? 8 : 7);
  const program = new Uint8Array(4 * 8);
  const view = new DataView(program.buffer);
  const put = (at: number, code: number, ifTrue: number, ifFalse: number, value: number) => {
    view.setUint16(8 * at, code, true);
    view.setUint8(8 * at + 2, ifTrue);
    view.setUint8(8 * at + 3, ifFalse);
    view.setInt32(8 * at + 4, value, true);
  };
  put(0, 0x30, 0, 0, place); // load the octet
  put(1, 0x15, 0, 1, GREATEST_HOP_LIMIT); // equal: the next, else the one behind it
  put(2, 0x06, 0, 0, 0x7fff_ffff); // take all
  put(3, 0x06, 0, 0, 0); // take nothing
  return program;
}
