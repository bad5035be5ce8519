/**
 * RTA_ENCAP: what a route tells a tunnel of its outer packets (linux/lwtunnel.h, LWTUNNEL_IP_* and LWTUNNEL_IP6_*; Linux 4.3), and its
 * mapping to the vocabulary. Of other kinds of light-weight tunnels the bytes are kept.
 */
import { familyOf, formatIp } from '#base/ip/index.ts';
import { ipOf, named, rest, u8, u16, u16be, u64be } from '#core/codec/index.ts';
import type { TunnelEncap } from '#core/kernel/index.ts';
import {
  type AttributesValue,
  type AttributeTable,
  attribute,
  attributes,
  dependentNest,
} from '../attribute.ts';

/** LWTUNNEL_ENCAP_*. */
const ENCAP_TYPES = { none: 0, mpls: 1, ip: 2, ila: 3, ip6: 4, seg6: 5, bpf: 6, seg6local: 7 } as const;
const NO_ADDRESS = { 4: formatIp(new Uint8Array(4)), 6: formatIp(new Uint8Array(16)) } as const;

export const ipEncap = attributes({
  id: attribute(1, u64be),
  dst: attribute(2, ipOf(4)),
  src: attribute(3, ipOf(4)),
  ttl: attribute(4, u8),
  tos: attribute(5, u8),
  flags: attribute(6, u16be),
  options: attribute(8, rest),
});

export const ip6Encap = attributes({
  id: attribute(1, u64be),
  dst: attribute(2, ipOf(6)),
  src: attribute(3, ipOf(6)),
  hopLimit: attribute(4, u8),
  trafficClass: attribute(5, u8),
  flags: attribute(6, u16be),
  options: attribute(8, rest),
});

/** RTA_ENCAP_TYPE and RTA_ENCAP, of a route or of one of its next hops. */
export const encapAttributes = {
  encapsulationType: attribute(21, named(u16, ENCAP_TYPES)),
  encapsulation: dependentNest(22, 'encapsulationType', { ip: ipEncap, ip6: ip6Encap }),
} as const satisfies AttributeTable;

type EncapAttributes = AttributesValue<typeof encapAttributes>;

/** The attributes of a way through a tunnel. */
export function encapOf({ dst, src, hopLimit }: TunnelEncap): EncapAttributes {
  const addresses = { dst, ...(src !== undefined && { src }) };
  if (familyOf(dst) === 6)
    return {
      encapsulationType: 'ip6',
      encapsulation: { ...addresses, ...(hopLimit !== undefined && { hopLimit }) },
    };
  return {
    encapsulationType: 'ip',
    encapsulation: { ...addresses, ...(hopLimit !== undefined && { ttl: hopLimit }) },
  };
}

/** The way through a tunnel that attributes tell of, as a field of a next hop; empty if there is none, or of a kind without words. */
export function encapField({ encapsulationType, encapsulation }: EncapAttributes): { encap?: TunnelEncap } {
  if (encapsulation === undefined || encapsulation instanceof Uint8Array) return {};
  if (encapsulationType !== 'ip' && encapsulationType !== 'ip6') return {};
  const { dst, src } = encapsulation;
  if (dst === undefined) return {};
  const hopLimit =
    'ttl' in encapsulation ? encapsulation.ttl : 'hopLimit' in encapsulation ? encapsulation.hopLimit : 0;
  return {
    encap: {
      dst,
      ...(src !== undefined && src !== NO_ADDRESS[familyOf(dst)] && { src }),
      ...(hopLimit && { hopLimit }),
    },
  };
}
