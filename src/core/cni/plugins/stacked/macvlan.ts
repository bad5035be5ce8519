/** The macvlan plugin: the container has a link of its own on the master's wire. Keys: master, mode, mtu, mac, linkInContainer, bcqueuelen. */
import { z } from 'zod';
import { decodeWith } from '../../spec/json.ts';
import { podMac, podMacAsked } from '../attachment.ts';
import { stackedPlugin } from './stacked.ts';

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  mode: z.enum(['', 'bridge', 'private', 'vepa', 'passthru']).default(''),
  bcqueuelen: z.int().min(0).max(0xffff_ffff).default(0),
});

export const macvlanPlugin = stackedPlugin({
  type: 'macvlan',
  limitsMtu: true,
  needsAddresses: false,
  detail: (network, parent) => {
    const { mode, bcqueuelen } = decodeWith(schema, network.json, 'invalid network config');
    return {
      type: 'macvlan',
      parent,
      mode: mode === '' ? 'bridge' : mode,
      ...(bcqueuelen > 0 && { broadcastQueueLength: bcqueuelen }),
    };
  },
  // In passthru mode the link is the master to the outside: another address would be the master's too.
  mac: (call) => (call.network.json['mode'] === 'passthru' ? podMacAsked(call) : podMac(call)),
});
