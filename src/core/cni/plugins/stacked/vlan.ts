/** The vlan plugin: the container is in an 802.1Q VLAN of the master. Keys: master, vlanId, mtu, linkInContainer. */
import { z } from 'zod';
import { decodeWith } from '../../spec/json.ts';
import { stackedPlugin } from './stacked.ts';

/** The keys, as they are parsed. */
export const schema = z.looseObject({ vlanId: z.int().min(0).max(4094).default(0) });

export const vlanPlugin = stackedPlugin({
  type: 'vlan',
  limitsMtu: true,
  needsAddresses: false,
  detail: (network, parent) => {
    const { vlanId } = decodeWith(schema, network.json, 'invalid network config');
    return { type: 'vlan', parent, id: vlanId };
  },
  mac: () => undefined,
});
