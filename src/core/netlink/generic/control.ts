/**
 * The generic netlink controller (linux/genetlink.h): family names to numbers, which differ from boot to boot. Source of the
 * attributes: enum CTRL_ATTR_*.
 */
import { struct, text, u16, u32 } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, nest } from '../attribute.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { genericHeaderFields } from './header.ts';

/** GENL_ID_CTRL: the one family whose number is fixed. */
const CONTROLLER = 0x10;
const CTRL_CMD_GETFAMILY = 3;

export const controlMessage = struct({
  ...genericHeaderFields,
  attributes: attributes({
    familyId: attribute(1, u16),
    familyName: attribute(2, text),
    version: attribute(3, u32),
    headerBytes: attribute(4, u32),
    maxAttribute: attribute(5, u32),
    // The kernel numbers the items of both lists 1, 2, 3, …; nobody reads the numbers.
    operations: nest(6, attributeList(1, attributes({ id: attribute(1, u32), flags: attribute(2, u32) }))),
    groups: nest(7, attributeList(1, attributes({ name: attribute(1, text), id: attribute(2, u32) }))),
  }),
});

/** A family as the running kernel knows it. */
export interface GenericFamily {
  readonly name: string;
  /** The message type of its requests. */
  readonly id: number;
  readonly version: number;
  /** Multicast groups by name. */
  readonly groups: ReadonlyMap<string, number>;
}

/** Asks for a family by name, e.g. `ethtool`; ENOENT is the answer if the kernel has none. */
export function familyRequest(name: string): Uint8Array {
  return encodeMessage(controlMessage, {
    type: CONTROLLER,
    flags: 0,
    payload: { command: CTRL_CMD_GETFAMILY, version: 1, attributes: { familyName: name } },
  });
}

/** The answer to familyRequest. Throws DecodeError. */
export function decodeFamily(message: Uint8Array): GenericFamily {
  const { attributes: family } = decodeMessage(controlMessage, message).payload;
  return {
    name: family.familyName ?? '',
    id: family.familyId ?? 0,
    version: family.version ?? 0,
    groups: new Map((family.groups ?? []).map((group) => [group.name ?? '', group.id ?? 0])),
  };
}
