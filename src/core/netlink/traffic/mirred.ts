/** Actions of filters (linux/pkt_cls.h, TCA_ACT_*), and of them mirred, which sends packets to another link (linux/tc_act/tc_mirred.h). */
import { i32, named, rest, struct, u32, u64 } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, dependentNest, nest } from '../attribute.ts';
import { kernelText } from '../route/kernel-text.ts';

/** TC_ACT_STOLEN: the packet is the action's, whoever sent it is told that it went. */
export const TC_ACT_STOLEN = 4;

const mirredOptions = attributes({
  times: attribute(1, struct({ install: u64, lastUse: u64, expires: u64, firstUse: u64 })),
  /** struct tc_mirred. */
  parameters: attribute(
    2,
    struct({
      index: u32,
      capabilities: u32,
      action: i32,
      references: i32,
      bindings: i32,
      what: named(i32, { egressRedirect: 1, egressMirror: 2, ingressRedirect: 3, ingressMirror: 4 }),
      /** The link packets go to; 0 if it is gone. */
      link: u32,
    }),
  ),
});

const action = attributes({
  kind: attribute(1, kernelText),
  options: dependentNest(2, 'kind', { mirred: mirredOptions }),
  index: attribute(3, u32),
  cookie: attribute(6, rest),
});

/** The actions of a filter. Their attribute types are their places; all are written as the first, so there is but one. */
export const filterActions = nest(7, attributeList(1, action));
