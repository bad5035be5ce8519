/** Values that keys of a speaker's file may have. */
import { z } from 'zod';
import {
  canonicalIp,
  type IpPrefix,
  isLinkName,
  networkOf,
  parsePrefix,
  parseScopedIp,
} from '#base/ip/index.ts';
import { parseRouterId } from '#core/bgp/calico/index.ts';
import { type Community, parseCommunity } from '#core/bgp/filter/index.ts';

export const MAX_ASN = 4_294_967_295;

function checked<Out>(what: string, parse: (text: string) => Out | undefined) {
  return z.string().transform((text, context): Out => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  });
}

export const asn = z.int().min(1).max(MAX_ASN);
export const address = checked('an IP address', canonicalIp);
export const linkName = z
  .string()
  .refine(isLinkName, { error: 'must be the name of a link: 1 to 15 characters without spaces, /, : and %' });
export const scopedAddress = checked(
  'an IP address, with its link behind % if it is link-local: fe80::1%eth0',
  parseScopedIp,
);
export const prefix = checked('a prefix such as 10.0.0.0/16', (text): IpPrefix | undefined =>
  parsePrefix(text) === undefined ? undefined : networkOf(text),
);
export const routerId = checked('an identifier such as 10.0.0.1', (text) => {
  try {
    return parseRouterId(text) || undefined;
  } catch {
    return undefined;
  }
});
export const community = checked(
  'a community such as 64512:1, 64512:1:1 or no-export',
  (text): Community | undefined => parseCommunity(text),
);
