/** RTM_NEWLINK of family AF_BRIDGE: a bridge tells of one of its ports, e.g. that its options changed. Not a link of its own. */
import { struct, u32 } from '#core/codec/index.ts';
import { attribute, attributes, nest } from '../attribute.ts';
import { kernelText } from './kernel-text.ts';
import { linkHeaderFields } from './link-header.ts';
import { bridgePort } from './link-kinds/bridge-port.ts';

export const bridgePortMessage = struct({
  ...linkHeaderFields,
  attributes: attributes({
    name: attribute(3, kernelText),
    master: attribute(10, u32),
    port: nest(12, bridgePort),
  }),
});
