import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigIntToIp, networkOf } from '#base/ip/index.ts';
import { FLANNEL_KEYS } from './flannel-keys.fixture.ts';
import { etcdLayout, pairsOverlap, readSubnetKey, type SubnetPair, subnetKey } from './layout.ts';

const layout = etcdLayout();
const PREFIX = '/coreos.com/network/subnets/';

describe("flannel's keys", () => {
  it('lie below a prefix that is cleaned as flannel cleans it', () => {
    const keys = (prefix?: string) => {
      const { configKey, subnets } = etcdLayout(prefix);
      return [configKey, subnets.key, subnets.end];
    };
    const usual = ['/coreos.com/network/config', PREFIX, '/coreos.com/network/subnets0'];
    expect(keys()).toEqual(usual);
    expect(keys('/coreos.com//network/')).toEqual(usual);
    expect(keys('net/./blue')).toEqual(['net/blue/config', 'net/blue/subnets/', 'net/blue/subnets0']);
    expect(keys('/')).toEqual(['/config', '/subnets/', '/subnets0']);
  });

  it.each(FLANNEL_KEYS)('of $what are read and made again', ({ name, ipv4, ipv6 }) => {
    const subnets = { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
    expect(readSubnetKey(layout, `${PREFIX}${name}`)).toEqual({ ok: true, subnets });
    expect(subnetKey(layout, subnets)).toBe(`${PREFIX}${name}`);
  });

  it('of all subnets are read as they were made', () => {
    const v4 = fc.tuple(fc.bigInt(1n << 24n, (1n << 32n) - 1n), fc.integer({ min: 1, max: 31 }));
    const v6 = fc.tuple(fc.bigInt(1n << 120n, (1n << 128n) - 1n), fc.integer({ min: 1, max: 127 }));
    const both = fc.tuple(fc.option(v4), fc.option(v6)).filter((pair) => pair.some((part) => part !== null));
    const check = ([a, b]: readonly [[bigint, number] | null, [bigint, number] | null]) => {
      const subnets: SubnetPair = {
        ...(a && { ipv4: networkOf(`${bigIntToIp(a[0], 4)}/${a[1]}`) }),
        ...(b && { ipv6: networkOf(`${bigIntToIp(b[0], 6)}/${b[1]}`) }),
      };
      expect(readSubnetKey(layout, subnetKey(layout, subnets))).toEqual({ ok: true, subnets });
    };
    fc.assert(fc.property(both, check));
  });

  it.each([
    ['', undefined],
    ['config', undefined],
    ['10.5.52.0', undefined],
    ['10.5.52.0-24&', undefined],
    ['10.5.52.0-32', undefined],
    ['10.5.520.0-24', undefined],
    ['0.0.0.0-0', undefined],
    ['10.5.52.0-24&fd00::-128', undefined],
    ['010.5.52.0-24', undefined],
    // what flannel takes for a subnet, and so is one
    ['10.5.52.0-24&10.5.53.0-24', { ipv4: '10.5.53.0/24' }],
    ['10.5.52.7-24', { ipv4: '10.5.52.0/24' }],
    ['old/10.5.52.0-24', { ipv4: '10.5.52.0/24' }],
    ['10.5.52.0-24&fd00:0:0:0::-64', { ipv4: '10.5.52.0/24', ipv6: 'fd00::/64' }],
  ])('"%s" is refused, and takes %o', (name, subnets) => {
    const reading = readSubnetKey(layout, `${PREFIX}${name}`);
    expect(reading.ok).toBe(false);
    expect(reading.subnets).toEqual(subnets);
    expect(reading.ok ? '' : reading.reason).toContain(`"${name}"`);
  });

  it('overlap where a part does, in either family', () => {
    const pair = { ipv4: '10.5.0.0/24', ipv6: 'fd00:0:0:5::/64' };
    expect(pairsOverlap(pair, { ipv4: '10.5.0.128/25' })).toBe(true);
    expect(pairsOverlap(pair, { ipv4: '10.5.1.0/24', ipv6: 'fd00::/48' })).toBe(true);
    expect(pairsOverlap(pair, { ipv4: '10.5.1.0/24', ipv6: 'fd00:0:0:6::/64' })).toBe(false);
    expect(pairsOverlap({ ipv4: '10.5.0.0/24' }, { ipv6: 'fd00:0:0:5::/64' })).toBe(false);
  });
});
