import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { nodeFacts } from '#testing/cni/index.ts';
import { schema as bandwidth, parseBandwidthConfig } from '../plugins/bandwidth/config.ts';
import { schema as bridge, parseBridgeConfig } from '../plugins/bridge/config.ts';
import { schema as dhcp } from '../plugins/dhcp/config.ts';
import { schema as firewall } from '../plugins/firewall/config.ts';
import { schema as flannel } from '../plugins/flannel/config.ts';
import { schema as hostDevice } from '../plugins/host-device/device.ts';
import { schema as hostLocal } from '../plugins/host-local/config.ts';
import { PLUGIN_TYPES } from '../plugins/index.ts';
import { parsePoplinConfig, schema as poplin } from '../plugins/poplin/config.ts';
import { schema as portmap } from '../plugins/portmap/config.ts';
import { schema as ptp } from '../plugins/ptp/ptp.ts';
import { schema as sbr } from '../plugins/sbr/sbr.ts';
import { schema as ipvlan } from '../plugins/stacked/ipvlan.ts';
import { schema as macvlan } from '../plugins/stacked/macvlan.ts';
import { schema as stacked } from '../plugins/stacked/stacked.ts';
import { schema as vlan } from '../plugins/stacked/vlan.ts';
import { schema as staticSchema } from '../plugins/static/static.ts';
import { schema as tap } from '../plugins/tap/tap.ts';
import { schema as tuning } from '../plugins/tuning/config.ts';
import { schema as vrf } from '../plugins/vrf/vrf.ts';
import { CNI_ERROR } from '../spec/error.ts';
import { type NetworkConfig, parseNetworkConfig } from '../spec/network-config.ts';
import { INTERFACE_PLUGIN_KEYS, IPAM_PLUGIN_KEYS, type ValueKind } from './plugin-keys-table.ts';

type Schema = Pick<z.ZodObject, 'shape'>;

/** What each plugin parses. `mac` is read by podMacAsked, in four places. */
const INTERFACE_SCHEMAS: Readonly<Record<string, readonly Schema[]>> = {
  poplin: [poplin],
  bridge: [bridge],
  ptp: [ptp],
  macvlan: [stacked, macvlan],
  ipvlan: [stacked, ipvlan],
  vlan: [stacked, vlan],
  tap: [tap],
  dummy: [],
  loopback: [],
  flannel: [flannel],
  'host-device': [hostDevice],
  portmap: [portmap],
  bandwidth: [bandwidth],
  firewall: [firewall],
  tuning: [tuning],
  sbr: [sbr],
  vrf: [vrf],
};
const WITH_MAC = ['bridge', 'ptp', 'macvlan', 'dummy', 'tap', 'tuning'];
const IPAM_SCHEMAS: Readonly<Record<string, Schema>> = {
  'host-local': hostLocal.shape.ipam,
  static: staticSchema.shape.ipam,
  dhcp,
};
const OF_THE_PROTOCOL = ['runtimeConfig', 'args'];

test('every plugin that is served has its row here', () => {
  expect([...Object.keys(INTERFACE_SCHEMAS), ...Object.keys(IPAM_SCHEMAS)].sort()).toEqual(
    [...PLUGIN_TYPES].sort(),
  );
});

describe('the keys that are documented are those that are parsed', () => {
  test.each(Object.entries(INTERFACE_SCHEMAS))('%s', (type, schemas) => {
    const parsed = schemas.flatMap((schema) => Object.keys(schema.shape));
    const own = [...parsed, ...(WITH_MAC.includes(type) ? ['mac'] : [])];
    expect(servedKeys(INTERFACE_PLUGIN_KEYS[type]?.keys)).toEqual(
      own.filter((key) => !OF_THE_PROTOCOL.includes(key) && !isRefused(type, key)).sort(),
    );
  });

  test.each(Object.entries(IPAM_SCHEMAS))('ipam %s', (type, schema) => {
    expect(servedKeys(IPAM_PLUGIN_KEYS[type]?.keys)).toEqual(Object.keys(schema.shape).sort());
  });
});

describe('a key that is documented as refused is refused by name', () => {
  const parsers: Readonly<Record<string, (network: NetworkConfig) => unknown>> = {
    bridge: parseBridgeConfig,
    bandwidth: parseBandwidthConfig,
    poplin: (network) => parsePoplinConfig(network, nodeFacts()),
  };
  const sample: Readonly<Record<ValueKind, unknown>> = {
    string: 'x',
    bool: true,
    count: 7,
    list: [{ id: 7 }],
    strings: ['10.1.0.0/16'],
    object: { a: 'b' },
  };
  const rows = Object.entries(INTERFACE_PLUGIN_KEYS).flatMap(([type, { keys }]) =>
    Object.entries(keys).flatMap(([key, row]) => (row.isRefused ? [{ type, key, kind: row.kind }] : [])),
  );
  test.each(rows)('$type $key', ({ type, key, kind }) => {
    const network = parseNetworkConfig({
      cniVersion: '1.0.0',
      name: 'net',
      type,
      ...(type === 'poplin' ? {} : { ipam: { type: 'host-local' } }),
      [key]: sample[kind],
    });
    expect(() => parsers[type]?.(network)).toThrow(
      expect.objectContaining({ code: CNI_ERROR.unsupportedField, msg: expect.stringContaining(key) }),
    );
  });
});

function servedKeys(keys: Readonly<Record<string, { readonly isRefused?: true }>> = {}): string[] {
  return Object.entries(keys)
    .flatMap(([key, row]) => (row.isRefused ? [] : [key]))
    .sort();
}

function isRefused(type: string, key: string): boolean {
  return INTERFACE_PLUGIN_KEYS[type]?.keys[key]?.isRefused === true;
}
