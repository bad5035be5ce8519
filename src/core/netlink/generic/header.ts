/** struct genlmsghdr (linux/genetlink.h). `reserved` is zero. */
import { pad, u8 } from '#core/codec/index.ts';

/** The fields of genlmsghdr, to be followed by an `attributes` field. */
export const genericHeaderFields = { command: u8, version: u8, reserved: pad(2) } as const;
