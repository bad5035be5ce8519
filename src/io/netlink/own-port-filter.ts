/**
 * The kernel's filter for a monitor (classic BPF, linux/filter.h) over a notification that begins with its netlink header: of some kinds,
 * those that answer requests of one port are left out. Whoever sent the requests knows what became of them from their acknowledgements.
 */

const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const TYPE_AT = 4;
const PORT_AT = 12;
const ALL = 0xffff_ffff;

type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, operand: number];

/** As the addon takes it. `types` are nlmsg_types, at most 200. */
export function ownPortFilter(portId: number, types: readonly number[]): Uint8Array {
  const count = types.length;
  return assembled([
    [LOAD_WORD, 0, 0, PORT_AT],
    [JUMP_IF_EQUAL, 0, count + 1, swapped32(portId)],
    [LOAD_HALF, 0, 0, TYPE_AT],
    ...types.map((type, at): Instruction => [JUMP_IF_EQUAL, count - at, 0, swapped16(type)]),
    [RETURN, 0, 0, ALL],
    [RETURN, 0, 0, 0],
  ]);
}

function assembled(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, jumpIfTrue, jumpIfFalse, operand]] of instructions.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jumpIfTrue);
    view.setUint8(index * 8 + 3, jumpIfFalse);
    view.setUint32(index * 8 + 4, operand, true);
  }
  return bytes;
}

/** What is loaded is taken for big-endian; netlink's headers are in the host's order, which is little-endian. */
function swapped32(value: number): number {
  return ((swapped16(value & 0xffff) << 16) | swapped16(value >>> 16)) >>> 0;
}

function swapped16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}
