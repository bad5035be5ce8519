/** Policy routing rules, RTM_NEWRULE and its kin (linux/fib_rules.h). */
import { ip, named, pad, struct, u8, u16, u32, u64be, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';
import { kernelText } from './kernel-text.ts';

export const RTM_RULE = { NEW: 32, DEL: 33, GET: 34 } as const;

/** FIB_RULE_*: of these only `INVERT` is a wish. */
export const FIB_RULE = { PERMANENT: 1, INVERT: 2 } as const;

const portRange = struct({ low: u16, high: u16 });

export const ruleMessage = struct({
  family: u8,
  dstLength: u8,
  srcLength: u8,
  tos: u8,
  /** The low eight bits; `attributes.table` has all of them. */
  table: u8,
  reserved: pad(2),
  action: named(u8, { lookup: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 }),
  flags: u32,
  attributes: attributes({
    dst: attribute(1, ip),
    src: attribute(2, ip),
    inputLink: attribute(3, kernelText),
    goto: attribute(4, u32),
    priority: attribute(6, u32),
    mark: attribute(10, u32),
    flow: attribute(11, u32),
    tunnelId: attribute(12, u64be),
    suppressGroup: attribute(13, u32),
    suppressPrefixLength: attribute(14, u32),
    table: attribute(15, u32),
    mask: attribute(16, u32),
    outputLink: attribute(17, kernelText),
    l3mdev: attribute(19, u8),
    userIds: attribute(20, struct({ low: u32, high: u32 })),
    protocol: attribute(21, u8),
    ipProtocol: attribute(22, u8),
    sourcePorts: attribute(23, portRange),
    destinationPorts: attribute(24, portRange),
  }),
});
export type RuleMessage = ValueOf<typeof ruleMessage>;
