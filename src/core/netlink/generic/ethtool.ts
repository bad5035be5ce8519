/**
 * Device features by way of ethtool netlink (linux/ethtool_netlink.h, Documentation/networking/ethtool-netlink.rst): reading
 * them and switching them on and off. Features go by name (`tx-checksum-ip-generic`); their bit numbers differ between kernels.
 */
import { flag, rest, struct, text, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, nest } from '../attribute.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { genericHeaderFields } from './header.ts';

/** The family's name, see familyRequest. */
export const ETHTOOL_FAMILY = 'ethtool';
/** ETHTOOL_MSG_FEATURES_*. */
const FEATURES = { GET: 11, SET: 12 } as const;

/** By bits, or (ETHTOOL_FLAG_COMPACT_BITSETS, never asked for here) as bare bytes. */
const bitset = attributes({
  /** A plain list: what is named is set. Else each bit named is either set or cleared. */
  noMask: attribute(1, flag),
  size: attribute(2, u32),
  bits: nest(
    3,
    attributeList(
      1,
      attributes({ index: attribute(1, u32), name: attribute(2, text), value: attribute(3, flag) }),
    ),
  ),
  compactValue: attribute(4, rest),
  compactMask: attribute(5, rest),
});

export const ethtoolFeatures = struct({
  ...genericHeaderFields,
  attributes: attributes({
    header: nest(
      1,
      attributes({ index: attribute(1, u32), name: attribute(2, text), flags: attribute(3, u32) }),
    ),
    /** What the device can switch. */
    changeable: nest(2, bitset),
    wanted: nest(3, bitset),
    active: nest(4, bitset),
    fixed: nest(5, bitset),
  }),
});

/** A device's features by name. */
export interface DeviceFeatures {
  readonly active: ReadonlySet<string>;
  readonly changeable: ReadonlySet<string>;
}

/** Asks for the features of a link; `familyId` is the number of ETHTOOL_FAMILY. ENODEV is the answer if there is no such link. */
export function featuresRequest(familyId: number, link: string): Uint8Array {
  return encodeMessage(ethtoolFeatures, {
    type: familyId,
    flags: 0,
    payload: { command: FEATURES.GET, version: 1, attributes: { header: { name: link } } },
  });
}

/**
 * Switches features of a link on or off. The kernel refuses names it does not know (EINVAL); what the device has fixed stays as
 * it is without an error, so read again where it matters.
 */
export function setFeaturesRequest(
  familyId: number,
  link: string,
  features: Readonly<Record<string, boolean>>,
): Uint8Array {
  const bits = Object.entries(features).map(([name, on]) => (on ? { name, value: true as const } : { name }));
  return encodeMessage(ethtoolFeatures, {
    type: familyId,
    flags: 0,
    payload: { command: FEATURES.SET, version: 1, attributes: { header: { name: link }, wanted: { bits } } },
  });
}

/** The answer to featuresRequest. Throws DecodeError. */
export function decodeFeatures(message: Uint8Array): DeviceFeatures {
  const { active, changeable } = decodeMessage(ethtoolFeatures, message).payload.attributes;
  return { active: namesSet(active), changeable: namesSet(changeable) };
}

function namesSet(set: ValueOf<typeof bitset> | undefined): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name, value } of set?.bits ?? []) {
    if (name && (value === true || set?.noMask === true)) names.add(name);
  }
  return names;
}
