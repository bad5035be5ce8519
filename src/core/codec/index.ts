export {
  bytes,
  type Codec,
  decodeAll,
  encodeAll,
  type FieldShape,
  flag,
  i32,
  i32be,
  ip,
  ipOf,
  listOf,
  mac,
  mapped,
  named,
  pad,
  rest,
  type Shape,
  type StructValue,
  struct,
  text,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  type ValueOf,
} from './codec.ts';
export { DecodeError, isDecodeError } from './error.ts';
export { Reader } from './reader.ts';
export { type RegisteredCodec, registry } from './registry.ts';
export { Writer } from './writer.ts';
