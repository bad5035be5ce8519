/** Filters, RTM_NEWTFILTER and its kin (linux/rtnetlink.h, TCA_*; linux/pkt_cls.h). The match of a u32 filter: four bytes at places. */
import { listOf, pad, struct, u8, u16, u16be, u32, u32be, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes, dependentNest } from '../attribute.ts';
import { kernelText } from '../route/kernel-text.ts';
import { trafficHeaderFields } from './header.ts';
import { filterActions } from './mirred.ts';

/** A packet that matches goes no further (TC_U32_TERMINAL). */
export const TC_U32_TERMINAL = 1;

/** struct tc_u32_sel. */
const selector = struct({
  flags: u8,
  offsetShift: u8,
  /** How many keys follow: the kernel looks at no more. */
  keyCount: u8,
  reserved: pad(1),
  offsetMask: u16be,
  offset: u16,
  offsetOffset: u16,
  hashOffset: u16,
  hashMask: u32be,
  /** struct tc_u32_key. */
  keys: listOf(struct({ mask: u32be, value: u32be, at: u32, offsetMask: u32 })),
});

const u32Options = attributes({
  classId: attribute(1, u32),
  hash: attribute(2, u32),
  link: attribute(3, u32),
  divisor: attribute(4, u32),
  selector: attribute(5, selector),
  actions: filterActions,
  flags: attribute(11, u32),
});

export const filterMessage = struct({
  ...trafficHeaderFields,
  attributes: attributes({
    kind: attribute(1, kernelText),
    options: dependentNest(2, 'kind', { u32: u32Options }),
    chain: attribute(11, u32),
  }),
});
export type FilterMessage = ValueOf<typeof filterMessage>;
