/** Address messages, RTM_NEWADDR and its kin (linux/if_addr.h). */
import { ip, named, struct, u8, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';
import { kernelText } from './kernel-text.ts';
import { SCOPES } from './scope.ts';

export const RTM_ADDRESS = { NEW: 20, DEL: 21, GET: 22 } as const;

/** Address flags (IFA_FLAGS, linux/if_addr.h). */
export const IFA_F = {
  SECONDARY: 0x1,
  NODAD: 0x2,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
  NOPREFIXROUTE: 0x200,
} as const;

export const addressMessage = struct({
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: named(u8, SCOPES),
  index: u32,
  attributes: attributes({
    /** The prefix's address; on a point-to-point link the far end's. */
    address: attribute(1, ip),
    local: attribute(2, ip),
    label: attribute(3, kernelText),
    broadcast: attribute(4, ip),
    anycast: attribute(5, ip),
    cache: attribute(6, struct({ preferred: u32, valid: u32, created: u32, updated: u32 })),
    multicast: attribute(7, ip),
    /** All flags; the header's eight bits are then ignored. */
    flags: attribute(8, u32),
    routePriority: attribute(9, u32),
    protocol: attribute(11, u8),
  }),
});
export type AddressMessage = ValueOf<typeof addressMessage>;
