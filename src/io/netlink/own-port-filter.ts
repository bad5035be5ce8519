/**
 * The kernel's filter for a monitor (classic BPF, linux/filter.h) over a notification that begins with its netlink header: of some kinds,
 * those that answer requests of one port are left out. Whoever sent the requests knows what became of them from their acknowledgements.
 */

/** Notifications a monitor can do without. */
export interface LeftOut {
  /** Of these nlmsg_types, at most 200, what answers requests of this port. */
  readonly portId: number;
  readonly types: readonly number[];
  /** Of this nlmsg_type and address family, the first byte behind the header, all: such as are announced in nobody's name. */
  readonly everyOf?: { readonly type: number; readonly family: number };
}

const LOAD_BYTE = 0x30;
const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const TYPE_AT = 4;
const PORT_AT = 12;
const FAMILY_AT = 16;
const ALL = 0xffff_ffff;

type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, operand: number];

/** As the addon takes it. */
export function ownPortFilter({ portId, types, everyOf }: LeftOut): Uint8Array {
  const count = types.length;
  return assembled([
    ...(everyOf === undefined ? [] : leaveOutEvery(everyOf)),
    [LOAD_WORD, 0, 0, PORT_AT],
    [JUMP_IF_EQUAL, 0, count + 1, swapped32(portId)],
    [LOAD_HALF, 0, 0, TYPE_AT],
    ...types.map((type, at): Instruction => [JUMP_IF_EQUAL, count - at, 0, swapped16(type)]),
    [RETURN, 0, 0, ALL],
    [RETURN, 0, 0, 0],
  ]);
}

function leaveOutEvery({ type, family }: Required<LeftOut>['everyOf']): Instruction[] {
  return [
    [LOAD_HALF, 0, 0, TYPE_AT],
    [JUMP_IF_EQUAL, 0, 3, swapped16(type)],
    [LOAD_BYTE, 0, 0, FAMILY_AT],
    [JUMP_IF_EQUAL, 0, 1, family],
    [RETURN, 0, 0, 0],
  ];
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
