import { describe, expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { CniError } from './error.ts';
import { parseNetworkConfig, requireCommand, statedVersion } from './network-config.ts';
import { CNI_VERSIONS } from './version.ts';

describe('a network configuration', () => {
  test('may have comments and trailing commas', () => {
    const text = '{\n  // the database network\n  "name": "dbnet", /* old */ "cniVersion": "0.3.1",\n}';
    expect(parseNetworkConfig(text)).toMatchObject({ name: 'dbnet', cniVersion: '0.3.1', type: '' });
  });

  test('without cniVersion is of 0.1.0', () => {
    expect(parseNetworkConfig('{"name":"n"}').cniVersion).toBe('0.1.0');
    expect(statedVersion({ cniVersion: '' })).toBe('0.1.0');
  });

  test('gives what the protocol defines and keeps the rest as it is', () => {
    const json = {
      cniVersion: '1.1.0',
      name: 'dbnet',
      type: 'bridge',
      ipam: { type: 'host-local', subnet: '10.1.0.0/16' },
      dns: { nameservers: ['10.1.0.1'] },
      prevResult: { ips: [{ address: '10.1.0.5/16' }] },
      'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
      keyA: ['anything'],
    };
    expect(parseNetworkConfig(JSON.stringify(json))).toEqual({
      cniVersion: '1.1.0',
      name: 'dbnet',
      type: 'bridge',
      ipamType: 'host-local',
      dns: { nameservers: ['10.1.0.1'] },
      prevResult: { interfaces: [], ips: [{ address: '10.1.0.5/16' }], routes: [] },
      validAttachments: [{ containerId: 'c1', ifName: 'eth0' }],
      json,
    });
  });

  test('takes the attachments under the key of early libcni too', () => {
    const json = { name: 'n', cniVersion: '1.1.0', 'cni.dev/attachments': [] };
    expect(parseNetworkConfig(json).validAttachments).toEqual([]);
    expect(parseNetworkConfig({ name: 'n' }).validAttachments).toBeUndefined();
  });

  test('reads prevResult in the version of the configuration', () => {
    const prevResult = { ip4: { ip: '10.1.0.5/16' } };
    expect(parseNetworkConfig({ name: 'n', cniVersion: '0.2.0', prevResult }).prevResult?.ips).toEqual([
      { address: '10.1.0.5/16' },
    ]);
    expect(parseNetworkConfig({ name: 'n', prevResult: null }).prevResult).toBeUndefined();
  });

  test.each([
    ['{', 6, 'cannot decode network config; CloseBraceExpected at line 1, column 2'],
    ['[]', 6, 'cannot decode network config; it is not a JSON object'],
    ['{"name": 7}', 6, 'cannot decode network config; name: it is not a string'],
    ['{"name": "n", "cniVersion": 1}', 6, 'cannot decode network config; cniVersion: it is not a string'],
    ['{}', 7, 'missing network name'],
    ['{"name": "", "cniVersion": "7.0.0"}', 7, 'missing network name'],
    ['{"name": "../x"}', 7, 'invalid characters found in network name; "name" is "../x"'],
    ['{"name": "n", "cniVersion": "0.5.0"}', 1, 'incompatible CNI versions; config is "0.5.0"'],
    ['{"name": "n", "ipam": 1, "dns": []}', 7, 'invalid network config; ipam: '],
    [
      '{"name": "n", "prevResult": {"ip4": {}}}',
      6,
      'cannot decode prevResult of CNI version 0.1.0; ip4.ip: ',
    ],
  ])('%s is error %i', (text, code, start) => {
    const error = thrownBy(CniError, () => parseNetworkConfig(text));
    expect(error?.code).toBe(code);
    expect(error?.message.slice(0, start.length)).toBe(start);
  });

  test('allows the commands its version knows', () => {
    const since = {
      ADD: '0.1.0',
      DEL: '0.1.0',
      VERSION: '0.1.0',
      CHECK: '0.4.0',
      GC: '1.1.0',
      STATUS: '1.1.0',
    };
    for (const [command, first] of Object.entries(since)) {
      for (const version of CNI_VERSIONS) {
        const error = thrownBy(CniError, () => requireCommand(command as keyof typeof since, version));
        expect(error?.code, `${command} in ${version}`).toBe(version < first ? 1 : undefined);
        if (error) expect(error.msg).toBe(`config version does not allow ${command}`);
      }
    }
  });
});
