/** The configuration of the meta plugin flannel: where the node's subnet is written, and what makes the interface. */
import { z } from 'zod';
import { decodeWith, type JsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';

/** The `type` it is called by. */
export const FLANNEL_TYPE = 'flannel';

/** No `.` or `..` among its parts: the file meant is the one that is named. */
const path = z
  .string()
  .regex(/^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+\/?$/, 'it is not an absolute path without . and ..');
const PLUGIN_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const pluginName = z.string().regex(PLUGIN_NAME, 'it is not the name of a plugin');

export const schema = z.object({
  subnetFile: path.default('/run/flannel/subnet.env'),
  dataDir: path.default('/var/lib/cni/flannel'),
  delegate: z
    .looseObject({
      type: pluginName
        .refine((type) => type !== FLANNEL_TYPE, 'flannel cannot delegate to itself')
        .optional(),
      name: z.never('the network’s is used: leave it out').optional(),
      ipam: z
        .never('it follows from the subnet file: put keys of its own into the plugin’s "ipam"')
        .optional(),
    })
    .default({}),
  runtimeConfig: z.looseObject({}).optional(),
});

const routes = z.looseObject({ routes: z.array(z.looseObject({ dst: z.string() })).default([]) });

export interface FlannelConfig {
  readonly subnetFile: string;
  /** The folder of the delegates' configurations, a file for each container. */
  readonly dataDir: string;
  /** As given, with its `type`. */
  readonly delegate: JsonObject & { readonly type: string };
  /** As given, with its `type` and `routes`. */
  readonly ipam: JsonObject & { readonly type: string; readonly routes: readonly JsonObject[] };
  readonly runtimeConfig?: JsonObject;
}

/** True for a name that leads to no other folder. */
export function isPluginName(text: string): boolean {
  return PLUGIN_NAME.test(text);
}

/** Reads the plugin's keys; throws CniError 7 that lists what is wrong. */
export function parseFlannelConfig(network: NetworkConfig): FlannelConfig {
  const { runtimeConfig, delegate, ...places } = decodeWith(schema, network.json, 'invalid network config');
  const given = decodeWith(
    z.object({ ipam: routes.default({ routes: [] }) }),
    network.json,
    'invalid network config',
  );
  const { type } = delegate;
  return {
    ...places,
    delegate: { ...delegate, type: type ?? 'bridge' },
    ipam: { ...given.ipam, type: network.ipamType ?? 'host-local' },
    ...(runtimeConfig && { runtimeConfig }),
  };
}

/** The folder alone, of whatever configuration: what DEL and GC need. Throws CniError 7. */
export function parseFlannelPlaces({ json }: NetworkConfig): Pick<FlannelConfig, 'dataDir'> {
  return decodeWith(schema.pick({ dataDir: true }), json, 'invalid network config');
}
