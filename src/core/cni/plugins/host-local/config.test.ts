import { describe, expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { hostLocalPlace, parseHostLocalConfig } from './config.ts';
import { parseResolvConf } from './resolv-conf.ts';

const parse = (ipam: JsonObject, more: JsonObject = {}, args = '') =>
  parseHostLocalConfig(
    parseNetworkConfig({ cniVersion: '1.0.0', name: 'net', ipam: { type: 'host-local', ...ipam }, ...more }),
    args,
  );

describe('the configuration', () => {
  test('of the old, flat form is one range set', () => {
    expect(parse({ subnet: '10.1.0.0/16', gateway: '10.1.0.1', rangeStart: '10.1.5.1' })).toEqual({
      network: 'net',
      dataDir: '/var/lib/cni/networks',
      rangeSets: [[{ subnet: '10.1.0.0/16', start: '10.1.5.1', end: '10.1.255.254', gateway: '10.1.0.1' }]],
      routes: [],
      requested: [],
    });
  });

  test('of ranges gives one address from each set; defaults are the reference plugin’s', () => {
    const config = parse({
      ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }], [{ subnet: 'FD00::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00::1', mtu: 1400 }],
      dataDir: '/run/x',
      resolvConf: '/etc/resolv.conf',
    });
    expect(config.rangeSets[1]).toEqual([
      { subnet: 'fd00::/64', start: 'fd00::1', end: 'fd00::ffff:ffff:ffff:ffff', gateway: 'fd00::1' },
    ]);
    expect(config.rangeSets[0]).toHaveLength(2);
    expect(config.routes).toEqual([{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00::1', mtu: 1400 }]);
    expect(config).toMatchObject({ dataDir: '/run/x', resolvConf: '/etc/resolv.conf' });
  });

  test('puts the runtime’s ranges first, then the flat one', () => {
    const config = parse(
      { subnet: '10.2.0.0/24', ranges: [[{ subnet: '10.3.0.0/24' }]] },
      { runtimeConfig: { ipRanges: [[{ subnet: '10.1.0.0/24' }]] } },
    );
    expect(config.rangeSets.map((set) => set[0]?.subnet)).toEqual([
      '10.1.0.0/24',
      '10.2.0.0/24',
      '10.3.0.0/24',
    ]);
  });

  test('takes requested addresses from each source, with or without a length', () => {
    const subnet = { subnet: '10.1.0.0/24' };
    expect(parse(subnet, {}, 'IP=10.1.0.9').requested).toEqual(['10.1.0.9']);
    expect(parse(subnet, {}, 'IP=10.1.0.9/24').requested).toEqual(['10.1.0.9']);
    const more = { args: { cni: { ips: ['10.1.0.7'] } }, runtimeConfig: { ips: ['10.1.0.8/24', 'FD00::8'] } };
    expect(parse(subnet, more, 'IP=10.1.0.9').requested).toEqual(['10.1.0.7', '10.1.0.8', 'fd00::8']);
    expect(thrownBy(CniError, () => parse(subnet, {}, 'IP=10.1.0'))).toMatchObject({ code: 4 });
  });

  test.each<[string, JsonObject, string]>([
    ['no ranges', {}, 'no IP ranges: give "subnet" or "ranges" in "ipam"'],
    ['an empty set', { ranges: [[]] }, 'range set 0 is empty'],
    [
      'a /31',
      { subnet: '10.1.0.0/31' },
      'network 10.1.0.0/31 is too small to allocate from: it needs /30 or shorter',
    ],
    [
      'a /127',
      { subnet: 'fd00::/127' },
      'network fd00::/127 is too small to allocate from: it needs /126 or shorter',
    ],
    [
      'host bits',
      { subnet: '10.1.2.0/16' },
      'network 10.1.2.0/16 has host bits set: the network address is 10.1.0.0/16',
    ],
    [
      'a start outside',
      { subnet: '10.1.0.0/24', rangeStart: '10.1.1.1' },
      'rangeStart 10.1.1.1 is not in network 10.1.0.0/24',
    ],
    [
      'an end outside',
      { subnet: '10.1.0.0/24', rangeEnd: 'fd00::1' },
      'rangeEnd fd00::1 is not in network 10.1.0.0/24',
    ],
    [
      'an end before the start',
      { subnet: '10.1.0.0/24', rangeStart: '10.1.0.9', rangeEnd: '10.1.0.8' },
      'rangeStart 10.1.0.9 lies after rangeEnd 10.1.0.8',
    ],
    [
      'a gateway of the other family',
      { subnet: '10.1.0.0/24', gateway: 'fd00::1' },
      'gateway fd00::1 is of another address family than network 10.1.0.0/24',
    ],
    [
      'mixed families in a set',
      { ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: 'fd00::/64' }]] },
      'range set 0 mixes address families: 10.1.0.0/24 and fd00::/64',
    ],
    [
      'an overlap in a set',
      { ranges: [[{ subnet: '10.1.0.0/24' }, { subnet: '10.1.0.0/25' }]] },
      'range set 0: 10.1.0.1-10.1.0.254 and 10.1.0.1-10.1.0.126 overlap',
    ],
    [
      'an overlap of sets',
      { ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: '10.1.5.0/24' }]] },
      'range set 0 overlaps with 1: 10.1.0.1-10.1.255.254 and 10.1.5.1-10.1.5.254',
    ],
    ['no prefix', { subnet: '10.1.0.0' }, 'ipam.subnet: "10.1.0.0" is not an address with a prefix length'],
    ['no address', { subnet: '10.1.0.0/24', gateway: 'gw' }, 'ipam.gateway: "gw" is not an IP address'],
    ['no list', { subnet: '10.1.0.0/24', routes: {} }, 'ipam.routes: '],
  ])('with %s is refused', (_name, ipam, text) => {
    const error = thrownBy(CniError, () => parse(ipam));
    expect(error?.code).toBe(7);
    expect(error?.details).toContain(text);
  });

  test('has all its problems reported at once', () => {
    const ranges = [[{ subnet: '10.1.2.0/16' }], [{ subnet: '10.9.0.0/31' }], []];
    expect(thrownBy(CniError, () => parse({ ranges }))?.details.split('; ')).toHaveLength(3);
  });

  test('of two adjacent parts of one network does not overlap', () => {
    const ranges = [
      [{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.99' }],
      [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.100' }],
    ];
    expect(parse({ ranges }).rangeSets).toHaveLength(2);
  });

  test('before 0.3.0 gives one address of each family', () => {
    const ranges = [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24' }], [{ subnet: 'fd00::/64' }]];
    expect(thrownBy(CniError, () => parse({ ranges }, { cniVersion: '0.2.0' }))?.details).toBe(
      'CNI version 0.2.0 does not support more than one IPv4 address, 2 asked',
    );
    expect(parse({ ranges }, { cniVersion: '0.3.0' }).rangeSets).toHaveLength(3);
    expect(parse({ ranges: ranges.slice(1) }, { cniVersion: '0.2.0' }).rangeSets).toHaveLength(2);
  });

  test('for DEL is only a place: nothing else is looked at', () => {
    const broken = parseNetworkConfig({ name: 'net', ipam: { dataDir: '/x', subnet: 'nonsense' } });
    expect(hostLocalPlace(broken)).toEqual({ network: 'net', dataDir: '/x' });
  });
});

test('resolv.conf is read as resolv.conf(5) says', () => {
  const text =
    '# by hand\nnameserver 10.1.0.1\n\tnameserver  fd00::1 \n;old\ndomain lab\nsearch svc.lab lab\noptions ndots:5 rotate\nsortlist x\nnameserver\n';
  expect(parseResolvConf(text)).toEqual({
    nameservers: ['10.1.0.1', 'fd00::1'],
    domain: 'lab',
    search: ['svc.lab', 'lab'],
    options: ['ndots:5', 'rotate'],
  });
  expect(parseResolvConf('# nothing\n')).toBeUndefined();
});
