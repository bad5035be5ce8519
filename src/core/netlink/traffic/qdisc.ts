/** Queueing disciplines, RTM_NEWQDISC and its kin (linux/rtnetlink.h, TCA_*). Statistics survive as unknown attributes. */
import { struct, u8, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes, dependentNest } from '../attribute.ts';
import { kernelText } from '../route/kernel-text.ts';
import { trafficHeaderFields } from './header.ts';
import { tbfOptions } from './tbf.ts';

export const qdiscMessage = struct({
  ...trafficHeaderFields,
  attributes: attributes({
    kind: attribute(1, kernelText),
    options: dependentNest(2, 'kind', { tbf: tbfOptions }),
    hardwareOffload: attribute(12, u8),
    ingressBlock: attribute(13, u32),
    egressBlock: attribute(14, u32),
  }),
});
export type QdiscMessage = ValueOf<typeof qdiscMessage>;
