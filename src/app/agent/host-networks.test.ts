import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FURTHER_NETWORKS } from '#core/kernel/index.ts';
import { type NetConf, parseNetConf } from '#core/lease/index.ts';
import { HostNetworkError, HostNetworks, networkUse } from './host-networks.ts';

let folder: string;
let networks: HostNetworks;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-networks-'));
  networks = new HostNetworks(join(folder, 'networks'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function netConf(network: string, backend: object = { Type: 'vxlan' }): NetConf {
  const parsed = parseNetConf(JSON.stringify({ Network: network, Backend: backend }), 'test');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

describe('the number of a network', () => {
  it('is the first that is free, and the same whenever it is asked for', () => {
    expect(['default', 'b', 'c', 'b', 'default'].map((name) => networks.claim(name))).toEqual([
      0, 1, 2, 1, 0,
    ]);
    expect(new HostNetworks(join(folder, 'networks')).claim('c')).toBe(2);
  });

  it('is given to another once it is given back', async () => {
    networks.claim('default');
    networks.claim('b');
    await networks.forget(1);
    expect(networks.claim('c')).toBe(1);
    expect(networks.claim('b')).toBe(2);
  });

  it('is not given away while its file cannot be read', () => {
    networks.claim('default');
    networks.claim('b');
    writeFileSync(join(folder, 'networks/1.json'), '{');
    expect(networks.claim('c')).toBe(2);
  });

  it('is refused to a name that is none, and when there is no more', () => {
    for (const name of ['', 'A', '../x', 'a b', 'x'.repeat(33), '-a'])
      expect(() => networks.claim(name)).toThrow(HostNetworkError);
    for (let index = 0; index <= FURTHER_NETWORKS; index++) networks.claim(`n${index}`);
    expect(() => networks.claim('more')).toThrow(
      'network more: this host is a node of 8 already (n0, n1, n2, n3, n4, n5, n6, n7); take one off: poplin cleanup --network NAME',
    );
  });
});

describe('what a network uses', () => {
  const use = (name: string, conf: NetConf, devices: readonly string[], subnetFile = `/run/${name}.env`) =>
    networks.use(networks.claim(name), name, networkUse(conf, subnetFile, devices));

  beforeEach(() => use('default', netConf('10.1.0.0/16', { Type: 'udp', Port: 7890 }), ['flannel0']));

  it.each<[string, NetConf, string[], string]>([
    ['the network', netConf('10.1.0.0/16'), ['flannel.9'], '10.1.0.0/16 is network default'],
    [
      'a part of it',
      netConf('10.0.0.0/8'),
      ['flannel.9'],
      '10.0.0.0/8, in part (10.1.0.0/16), is network default',
    ],
    ['a device', netConf('10.2.0.0/16'), ['flannel0'], 'device flannel0 is network default'],
    [
      'a port',
      netConf('10.2.0.0/16', { Type: 'udp', Port: 7890 }),
      ['flannel1'],
      'UDP port 7890 is network default',
    ],
  ])('is refused to another: %s', async (_name, conf, devices, message) => {
    await expect(use('b', conf, devices)).rejects.toThrow(message);
    expect(readFileSync(join(folder, 'networks/1.json'), 'utf8')).toBe('{"name":"b"}');
  });

  it('is refused where it is the file that tells of the subnet', async () => {
    await expect(use('b', netConf('10.2.0.0/16'), [], '/run/default.env')).rejects.toThrow(
      '/run/default.env',
    );
  });

  it('may be another at its next start, and is free once the network is given up', async () => {
    await use('default', netConf('10.3.0.0/16'), ['flannel.1']);
    await use('b', netConf('10.1.0.0/16', { Type: 'udp', Port: 7890 }), ['flannel1']);
    await expect(use('default', netConf('10.1.0.0/16'), ['flannel.1'])).rejects.toThrow('network b');
    await networks.forget(1);
    await use('default', netConf('10.1.0.0/16'), ['flannel.1']);
  });
});
