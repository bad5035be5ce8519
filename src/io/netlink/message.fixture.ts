/** Netlink messages for tests, little-endian as the kernel writes them: header, then the rest. */

export function message(
  type: number,
  flags: number,
  sequence: number,
  payload: readonly number[] = [],
): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, 16);
  return bytes;
}
