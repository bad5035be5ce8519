/** The ipvlan plugin: the container shares the master's MAC address. Keys: master, mode, mtu, linkInContainer; it may follow another plugin. */
import { z } from 'zod';
import { decodeWith } from '../../spec/json.ts';
import { stackedPlugin } from './stacked.ts';

/** The keys, as they are parsed. */
export const schema = z.looseObject({ mode: z.enum(['', 'l2', 'l3', 'l3s']).default('') });

export const ipvlanPlugin = stackedPlugin({
  type: 'ipvlan',
  limitsMtu: false,
  needsAddresses: true,
  followsChain: true,
  detail: (network, parent) => {
    const { mode } = decodeWith(schema, network.json, 'invalid network config');
    return { type: 'ipvlan', parent, mode: mode === '' ? 'l2' : mode };
  },
  mac: () => undefined,
});
