import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FURTHER_NETWORKS } from '#core/kernel/index.ts';
import { type NetConf, parseNetConf } from '#core/lease/index.ts';
import { FIRST_NETWORK, HostNetworkError, HostNetworks } from './host-networks.ts';
import { useOf } from './network-use.ts';

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

/** As `poplin agent` asks for it. */
const claim = (name: string, from = networks) => from.claim(name, name === FIRST_NETWORK);

describe('the number of a network', () => {
  it('is 0 for the one that is not told of several, and else the first that is free, whenever it is asked for', async () => {
    const numbers: number[] = [];
    for (const name of ['b', 'default', 'c', 'b', 'default']) numbers.push(await claim(name));
    expect(numbers).toEqual([1, 0, 2, 1, 0]);
    expect(await claim('c', new HostNetworks(join(folder, 'networks')))).toBe(2);
  });

  it('is 0 for another only where it may be, and keeps the one that comes later from it', async () => {
    expect(await networks.claim('b', true)).toBe(0);
    expect(await claim('default')).toBe(1);
    expect(await networks.claim('b', false)).toBe(0);
  });

  it('is one for each of many that begin at once', async () => {
    const names = ['default', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].flatMap((name) => [name, name]);
    const numbers = await Promise.all(names.map((name) => claim(name)));
    expect(numbers.filter((_, at) => at % 2 === 0)).toEqual(numbers.filter((_, at) => at % 2 === 1));
    expect([...new Set(numbers)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(readdirSync(join(folder, 'networks'))).toHaveLength(8);
  });

  it('is given to another once it is given back', async () => {
    await claim('default');
    await claim('b');
    await networks.forget(1);
    expect(await claim('c')).toBe(1);
    expect(await claim('b')).toBe(2);
  });

  it('is not given away while its file cannot be read', async () => {
    await claim('default');
    await claim('b');
    writeFileSync(join(folder, 'networks/1.json'), '{');
    expect(await claim('c')).toBe(2);
  });

  it('is refused to a name that is none, and when there is no more', async () => {
    for (const name of ['', 'A', '../x', 'a b', 'x'.repeat(33), '-a'])
      await expect(claim(name)).rejects.toThrow(HostNetworkError);
    for (let index = 0; index <= FURTHER_NETWORKS; index++) await networks.claim(`n${index}`, true);
    await expect(claim('more')).rejects.toThrow(
      'network more: this host is a node of 8 already (n0, n1, n2, n3, n4, n5, n6, n7); take one off: poplin cleanup --network NAME',
    );
  });
});

describe('what a network uses', () => {
  const use = async (
    name: string,
    conf: NetConf,
    devices: readonly string[],
    subnetFile = `/run/${name}.env`,
  ) => networks.use(await claim(name), name, useOf(conf, subnetFile, devices));
  const UDP = { Type: 'udp', Port: 7890 };

  beforeEach(() => use('default', netConf('10.1.0.0/16', UDP), ['flannel0']));

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
      netConf('10.2.0.0/16', UDP),
      ['flannel1'],
      'UDP port 7890 (here for udp, there for udp) is network default',
    ],
    [
      'a port of another backend',
      netConf('10.2.0.0/16', { Type: 'vxlan', Port: 7890 }),
      ['flannel.9'],
      'UDP port 7890 (here for vxlan, there for udp) is network default',
    ],
    [
      'one of the ports of wireguard',
      netConf('10.2.0.0/16', { Type: 'wireguard', ListenPortV6: 7890 }),
      ['flannel-wg.1'],
      'UDP port 7890 (here for wireguard, there for udp) is network default',
    ],
  ])('is refused to another: %s', async (_name, conf, devices, message) => {
    await expect(use('b', conf, devices)).rejects.toThrow(message);
    expect(networks.list().map(({ name }) => name)).toEqual(['default']);
  });

  it('is told in the words of the configuration: VNIs, and the backend that a host has one of', async () => {
    await use('default', netConf('10.1.0.0/16'), ['flannel.1', 'fl6.1']);
    for (const device of ['flannel.1', 'fl6.1'])
      await expect(use('b', netConf('10.2.0.0/16'), [device])).rejects.toThrow(
        `network b: VNI 1 (device ${device}) is network default's on this host`,
      );
    await use('default', netConf('10.1.0.0/16', { Type: 'ipip' }), ['flannel-v6.ipip']);
    await expect(
      use('b', netConf('10.2.0.0/16', { Type: 'ipip' }), ['flannel.ipip', 'flannel-v6.ipip']),
    ).rejects.toThrow(
      'the backend ipip (device flannel-v6.ipip, of which a host has one) is network default',
    );
  });

  it('may be a port that VXLAN devices share, if they are of one kind', async () => {
    const vxlan = (network: string, keys: object) => netConf(network, { Type: 'vxlan', ...keys });
    await use('default', vxlan('10.1.0.0/16', { VNI: 1 }), ['flannel.1']);
    await use('b', vxlan('10.2.0.0/16', { VNI: 2 }), ['flannel.2']);
    await expect(use('c', vxlan('10.3.0.0/16', { VNI: 3, GBP: true }), ['flannel.3'])).rejects.toThrow(
      'UDP port 8472 (here for vxlan with GBP, there for vxlan) is network default',
    );
  });

  it('goes to one of two that want the same at once', async () => {
    const both = await Promise.allSettled(['b', 'c'].map((name) => use(name, netConf('10.2.0.0/16'), [])));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('is refused where it is the file that tells of the subnet', async () => {
    await expect(use('b', netConf('10.2.0.0/16'), [], '/run/default.env')).rejects.toThrow(
      '/run/default.env',
    );
  });

  it('may be another at its next start, and is free once the network is given up', async () => {
    await use('default', netConf('10.3.0.0/16'), ['flannel.1']);
    await use('b', netConf('10.1.0.0/16', UDP), ['flannel1']);
    await expect(use('default', netConf('10.1.0.0/16'), ['flannel.1'])).rejects.toThrow('network b');
    expect(networks.list()[0]).toMatchObject({ name: 'default', prefixes: ['10.3.0.0/16'] });
    await networks.forget(1);
    await use('default', netConf('10.1.0.0/16'), ['flannel.1']);
  });
});
