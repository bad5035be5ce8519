/**
 * The kernel's filter for a client's socket (classic BPF, linux/filter.h), over a packet that begins with its IPv4 header: whole UDP
 * datagrams to port 68. Nothing else that a busy pod receives wakes the agent.
 */
import { CLIENT_PORT } from '#core/dhcp/index.ts';

const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const LOAD_HALF_INDEXED = 0x48;
const INDEX_HEADER_LENGTH = 0xb1;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_SET = 0x45;
const RETURN = 0x06;
const UDP = 17;
const MORE_OR_OFFSET = 0x3fff;

type Instruction = readonly [code: number, jumpIfTrue: number, jumpIfFalse: number, operand: number];

const INSTRUCTIONS: readonly Instruction[] = [
  [LOAD_BYTE, 0, 0, 9],
  [JUMP_IF_EQUAL, 0, 6, UDP],
  [LOAD_HALF, 0, 0, 6],
  [JUMP_IF_SET, 4, 0, MORE_OR_OFFSET],
  [INDEX_HEADER_LENGTH, 0, 0, 0],
  [LOAD_HALF_INDEXED, 0, 0, 2],
  [JUMP_IF_EQUAL, 0, 1, CLIENT_PORT],
  [RETURN, 0, 0, 0xffff],
  [RETURN, 0, 0, 0],
];

/** The program as the addon takes it. */
export function clientFilter(): Uint8Array {
  const bytes = new Uint8Array(INSTRUCTIONS.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, jumpIfTrue, jumpIfFalse, operand]] of INSTRUCTIONS.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jumpIfTrue);
    view.setUint8(index * 8 + 3, jumpIfFalse);
    view.setUint32(index * 8 + 4, operand, true);
  }
  return bytes;
}
