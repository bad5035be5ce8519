import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  bigIntToIp,
  familyBits,
  type IpFamily,
  ipToBigInt,
  networkOf,
  prefixContains,
} from '#base/ip/index.ts';
import { formatProblem, parseConfig } from '#core/config/index.ts';
import { chooseSubnet, subnetCount, validateSubnet } from './allocator.ts';
import { LISTING_1, LISTING_2 } from './listings.fixture.ts';
import { type NetConf, parseNetConf } from './net-conf.ts';

const VXLAN = '"Backend": {"Type": "vxlan"}';
const v4 = (rest: string) => `{${rest}, ${VXLAN}}`;
const v6 = (rest: string) => `{"EnableIPv4": false, "EnableIPv6": true, ${rest}, ${VXLAN}}`;

function read(text: string): { value?: NetConf; problems: string[]; warnings: string[] } {
  const result = parseNetConf(text, 'net-conf.json');
  const warnings = result.warnings.map(formatProblem);
  return result.ok
    ? { value: result.value, problems: [], warnings }
    : { problems: result.problems.map(formatProblem), warnings };
}

const problemsOf = (text: string) =>
  read(text).problems.map((problem) => problem.replace(/^net-conf.json:\d+:\d+: /, ''));

describe('the printed listings', () => {
  test('listing 1 is read as printed', () => {
    expect(read(LISTING_1)).toEqual({
      value: {
        ipv4: { network: '10.0.0.0/8', subnetLen: 20, subnetMin: '10.10.0.0', subnetMax: '10.99.0.0' },
        enableNFTables: false,
        backend: { type: 'udp', port: 7890 },
      },
      problems: [],
      warnings: [],
    });
  });

  test('listing 2 is read with its comments', () => {
    const result = parseConfig(z.unknown(), LISTING_2, { source: 'dbnet.conf' });
    expect(result.ok && result.value).toEqual({
      cniVersion: '0.3.1',
      name: 'dbnet',
      type: 'bridge',
      bridge: 'cni0',
      ipam: { type: 'host-local', subnet: '10.1.0.0/16', gateway: '10.1.0.1' },
      dns: { nameservers: ['10.1.0.1'] },
    });
  });
});

type Pool = readonly [network: string, len: number, min: string, max: string];

describe('the pool of a family', () => {
  const good: readonly [string, string, Pool][] = [
    [
      'a /16 gives /24 from the second to the last',
      v4('"Network": "10.3.0.0/16"'),
      ['10.3.0.0/16', 24, '10.3.1.0', '10.3.255.0'],
    ],
    ['a /22 still gives /24', v4('"Network": "10.3.0.0/22"'), ['10.3.0.0/22', 24, '10.3.1.0', '10.3.3.0']],
    [
      'a /23 gives two bits more',
      v4('"Network": "10.3.0.0/23"'),
      ['10.3.0.0/23', 25, '10.3.0.128', '10.3.1.128'],
    ],
    ['a /28 is the smallest', v4('"Network": "10.3.0.0/28"'), ['10.3.0.0/28', 30, '10.3.0.4', '10.3.0.12']],
    [
      'a /1 is the largest',
      v4('"Network": "128.0.0.0/1"'),
      ['128.0.0.0/1', 24, '128.0.1.0', '255.255.255.0'],
    ],
    [
      'SubnetLen 30 is the longest',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 30'),
      ['10.3.0.0/16', 30, '10.3.0.4', '10.3.255.252'],
    ],
    [
      'SubnetLen two above the network is the shortest',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 18'),
      ['10.3.0.0/16', 18, '10.3.64.0', '10.3.192.0'],
    ],
    [
      'SubnetLen 0 is the default',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 0'),
      ['10.3.0.0/16', 24, '10.3.1.0', '10.3.255.0'],
    ],
    [
      'the first subnet may be asked for',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "10.3.0.0"'),
      ['10.3.0.0/16', 24, '10.3.0.0', '10.3.255.0'],
    ],
    [
      'one subnet alone will do',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "10.3.5.0", "SubnetMax": "10.3.5.0"'),
      ['10.3.0.0/16', 24, '10.3.5.0', '10.3.5.0'],
    ],
    [
      '0.0.0.0 is no SubnetMin',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "0.0.0.0", "SubnetMax": "0.0.0.0"'),
      ['10.3.0.0/16', 24, '10.3.1.0', '10.3.255.0'],
    ],
    [
      'IPv6: a /48 gives /64',
      v6('"IPv6Network": "FC00:0::/48"'),
      ['fc00::/48', 64, 'fc00:0:0:1::', 'fc00:0:0:ffff::'],
    ],
    [
      'IPv6: a /62 still gives /64',
      v6('"IPv6Network": "fc00::/62"'),
      ['fc00::/62', 64, 'fc00:0:0:1::', 'fc00:0:0:3::'],
    ],
    [
      'IPv6: a /63 gives two bits more',
      v6('"IPv6Network": "fc00::/63"'),
      ['fc00::/63', 65, 'fc00::8000:0:0:0', 'fc00:0:0:1:8000::'],
    ],
    [
      'IPv6: a /124 is the smallest',
      v6('"IPv6Network": "fc00::/124"'),
      ['fc00::/124', 126, 'fc00::4', 'fc00::c'],
    ],
    [
      'IPv6: IPv6SubnetLen 126 is the longest',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetLen": 126'),
      ['fc00::/48', 126, 'fc00::4', 'fc00::ffff:ffff:ffff:ffff:fffc'],
    ],
    [
      'IPv6: :: is no IPv6SubnetMin',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetMin": "::"'),
      ['fc00::/48', 64, 'fc00:0:0:1::', 'fc00:0:0:ffff::'],
    ],
    [
      'IPv6: bounds in any spelling',
      v6(
        '"IPv6Network": "fc00::/48", "IPv6SubnetMin": "fc00:0:0:0001:0::", "IPv6SubnetMax": "fc00:0:0:f::", "IPv6SubnetLen": 124',
      ),
      ['fc00::/48', 124, 'fc00:0:0:1::', 'fc00:0:0:f::'],
    ],
    [
      'null is the same as no key',
      v4('"Network": "10.3.0.0/16", "SubnetLen": null, "SubnetMin": null'),
      ['10.3.0.0/16', 24, '10.3.1.0', '10.3.255.0'],
    ],
    [
      'keys may be written in any case',
      v4('"network": "10.3.0.0/16", "SUBNETLEN": 26'),
      ['10.3.0.0/16', 26, '10.3.0.64', '10.3.255.192'],
    ],
  ];
  test.each(good)('%s', (_, text, [network, subnetLen, subnetMin, subnetMax]) => {
    const { value, problems } = read(text);
    expect(problems).toEqual([]);
    expect(value?.ipv4 ?? value?.ipv6).toEqual({ network, subnetLen, subnetMin, subnetMax });
  });

  const bad: readonly [string, string, string][] = [
    [
      'no Network',
      '{"Backend": {}}',
      'Network: is required while EnableIPv4 is true: please define a correct Network parameter, such as "10.244.0.0/16"',
    ],
    [
      'every address',
      v4('"Network": "0.0.0.0/0"'),
      'Network: cannot be every address (0.0.0.0/0): please define a correct Network parameter, such as "10.244.0.0/16"',
    ],
    [
      'a /29',
      v4('"Network": "10.3.0.0/29"'),
      'Network: network is too small: 10.3.0.0/29, but the minimum useful network prefix is /28',
    ],
    [
      'no length',
      v4('"Network": "10.3.0.0"'),
      'Network: must be an IPv4 network such as "10.244.0.0/16": "10.3.0.0" is not a network',
    ],
    [
      'the other family',
      v4('"Network": "fc00::/48"'),
      'Network: must be an IPv4 network such as "10.244.0.0/16": "fc00::/48" is an IPv6 network',
    ],
    [
      'an octal-looking address',
      v4('"Network": "010.3.0.0/16"'),
      'Network: must be an IPv4 network such as "10.244.0.0/16": "010.3.0.0/16" is not a network',
    ],
    [
      'SubnetLen 31',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 31'),
      'SubnetLen: must be less than /31, not /31: a node needs four addresses',
    ],
    [
      'SubnetLen one above the network',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 17'),
      'SubnetLen: network must be able to accommodate at least four subnets: with Network 10.3.0.0/16 it must be /18 or longer, not /17',
    ],
    [
      'a /29 with SubnetLen 30',
      v4('"Network": "10.3.0.0/29", "SubnetLen": 30'),
      'SubnetLen: network must be able to accommodate at least four subnets: with Network 10.3.0.0/29 it must be /31 or longer, not /30',
    ],
    [
      'a negative SubnetLen',
      v4('"Network": "10.3.0.0/16", "SubnetLen": -1'),
      'SubnetLen: must be at least 0, not -1',
    ],
    [
      'half a SubnetLen',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 24.5'),
      'SubnetLen: must be a whole number, not 24.5',
    ],
    [
      'SubnetMin outside',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "10.4.0.0"'),
      'SubnetMin: is not in the range of the Network 10.3.0.0/16: 10.4.0.0',
    ],
    [
      'SubnetMax outside',
      v4('"Network": "10.3.0.0/16", "SubnetMax": "10.2.255.0"'),
      'SubnetMax: is not in the range of the Network 10.3.0.0/16: 10.2.255.0',
    ],
    [
      'SubnetMin off the boundary',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "10.3.1.1"'),
      'SubnetMin: is not on a SubnetLen (/24) boundary: 10.3.1.1; the one below is 10.3.1.0',
    ],
    [
      'SubnetMax off the boundary',
      v4('"Network": "10.3.0.0/16", "SubnetLen": 20, "SubnetMax": "10.3.17.0"'),
      'SubnetMax: is not on a SubnetLen (/20) boundary: 10.3.17.0; the one below is 10.3.16.0',
    ],
    [
      'bounds in the wrong order',
      v4('"Network": "10.3.0.0/16", "SubnetMin": "10.3.9.0", "SubnetMax": "10.3.8.0"'),
      'SubnetMin: is above SubnetMax (10.3.8.0): no subnet lies between',
    ],
    [
      'IPv6: no IPv6Network',
      v6('"IPv6SubnetLen": 64'),
      'IPv6Network: is required while EnableIPv6 is true: please define a correct IPv6Network parameter, such as "fd00:10:244::/48"',
    ],
    [
      'IPv6: every address',
      v6('"IPv6Network": "::/0"'),
      'IPv6Network: cannot be every address (::/0): please define a correct IPv6Network parameter, such as "fd00:10:244::/48"',
    ],
    [
      'IPv6: a /125',
      v6('"IPv6Network": "fc00::/125"'),
      'IPv6Network: network is too small: fc00::/125, but the minimum useful network prefix is /124',
    ],
    [
      'IPv6: IPv6SubnetLen 127',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetLen": 127'),
      'IPv6SubnetLen: must be less than /127, not /127: a node needs four addresses',
    ],
    [
      'IPv6: IPv6SubnetLen one above',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetLen": 49'),
      'IPv6SubnetLen: network must be able to accommodate at least four subnets: with IPv6Network fc00::/48 it must be /50 or longer, not /49',
    ],
    [
      'IPv6: IPv6SubnetMin outside',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetMin": "fd00::"'),
      'IPv6SubnetMin: is not in the range of the IPv6Network fc00::/48: fd00::',
    ],
    [
      'IPv6: IPv6SubnetMax off the boundary',
      v6('"IPv6Network": "fc00::/48", "IPv6SubnetMax": "fc00::1"'),
      'IPv6SubnetMax: is not on a IPv6SubnetLen (/64) boundary: fc00::1; the one below is fc00::',
    ],
    [
      'IPv6: the other family',
      v6('"IPv6Network": "10.0.0.0/8"'),
      'IPv6Network: must be an IPv6 network such as "fd00:10:244::/48": "10.0.0.0/8" is an IPv4 network',
    ],
    [
      'neither family',
      '{"EnableIPv4": false, "Backend": {}}',
      'neither EnableIPv4 nor EnableIPv6 is true: there is nothing to give out',
    ],
    ['a list', '[]', 'must be an object, not a list'],
    [
      'a repeated key',
      v4('"Network": "10.3.0.0/16", "Network": "10.3.0.0/16"'),
      'Network: is given twice (first in line 1): keep one',
    ],
  ];
  test.each(bad)('refuses %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('gives both families side by side', () => {
    const { value } = read(
      `{"Network": "10.3.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00::/56", "EnableNFTables": true, ${VXLAN}}`,
    );
    expect(value?.ipv4?.subnetMin).toBe('10.3.1.0');
    expect(value?.ipv6?.subnetMin).toBe('fd00:0:0:1::');
    expect(value?.enableNFTables).toBe(true);
  });

  test('warns of host bits, of networks that are switched off and of unknown keys', () => {
    const text = `{\n"Network": "10.3.4.5/16",\n"IPv6Network": "fd00::/48",\n"SubnetMn": "10.3.1.0",\n"Backend": {"Type": "host-gw", "Prot": 1}}`;
    const { value, warnings } = read(text);
    expect(value?.ipv4?.network).toBe('10.3.0.0/16');
    expect(warnings).toEqual([
      'net-conf.json:2:12: Network: has host bits set: 10.3.4.5/16 is taken as 10.3.0.0/16',
      'net-conf.json:3:16: IPv6Network: is ignored: EnableIPv6 is false',
      'net-conf.json:4:1: SubnetMn: is not a known key and is ignored (did you mean "SubnetMin"?)',
      'net-conf.json:5:32: Backend.Prot: is not a known key and is ignored',
    ]);
  });

  test('tells all problems of both families and the backend at once', () => {
    const text = `{
  "Network": "10.3.0.0/16", "SubnetLen": 31, "SubnetMin": "10.4.0.0", "SubnetMax": true,
  "EnableIPv6": true, "IPv6Network": "fc00::/125",
  "Backend": {"Type": "vxlan", "VNI": -1, "Port": 70000}
}`;
    expect(read(text).problems).toEqual([
      'net-conf.json:2:42: SubnetLen: must be less than /31, not /31: a node needs four addresses',
      'net-conf.json:2:59: SubnetMin: is not in the range of the Network 10.3.0.0/16: 10.4.0.0',
      'net-conf.json:2:84: SubnetMax: must be a string, not true',
      'net-conf.json:3:38: IPv6Network: network is too small: fc00::/125, but the minimum useful network prefix is /124',
      'net-conf.json:4:39: Backend.VNI: must be at least 0, not -1',
      'net-conf.json:4:51: Backend.Port: must be at most 65535, not 70000',
    ]);
  });
});

describe('the backend', () => {
  const backendOf = (text: string) => read(`{"Network": "10.3.0.0/16", "Backend": ${text}}`);
  const vxlan = { type: 'vxlan', vni: 1, port: 8472, gbp: false, directRouting: false, learning: false };
  const wireguard = {
    type: 'wireguard',
    listenPort: 51820,
    listenPortV6: 51821,
    mode: 'separate',
    persistentKeepaliveSec: 0,
  };
  const psk = `${'A'.repeat(43)}=`;
  const long = 'k'.repeat(96);
  const good: readonly [string, string, object][] = [
    ['an empty object is vxlan', '{}', vxlan],
    ['the type may be written in any case', '{"type": "VXLAN"}', vxlan],
    [
      'vxlan takes every key',
      '{"Type": "vxlan", "VNI": 16777215, "Port": 4789, "GBP": true, "DirectRouting": true, "Learning": true, "MTU": 1450, "MacPrefix": "0E-2A", "Name": "x"}',
      {
        type: 'vxlan',
        vni: 16777215,
        port: 4789,
        gbp: true,
        directRouting: true,
        learning: true,
        mtuBytes: 1450,
        macPrefix: '0E-2A',
        name: 'x',
      },
    ],
    ['vxlan port 0 is the default', '{"Type": "vxlan", "Port": 0, "MTU": 0}', vxlan],
    ['udp', '{"Type": "udp"}', { type: 'udp', port: 8285 }],
    ['host-gw', '{"Type": "host-gw"}', { type: 'host-gw' }],
    ['wireguard', '{"Type": "wireguard"}', wireguard],
    [
      'wireguard takes every key',
      `{"Type": "wireguard", "PSK": "${psk}", "ListenPort": 1, "ListenPortV6": 2, "MTU": 1400, "Mode": "auto", "PersistentKeepaliveInterval": 25}`,
      {
        type: 'wireguard',
        psk,
        listenPort: 1,
        listenPortV6: 2,
        mtuBytes: 1400,
        mode: 'auto',
        persistentKeepaliveSec: 25,
      },
    ],
    ['ipip', '{"Type": "ipip", "DirectRouting": true}', { type: 'ipip', directRouting: true }],
    [
      'ipsec',
      `{"Type": "ipsec", "PSK": "${long}"}`,
      { type: 'ipsec', psk: long, udpEncap: false, espProposal: 'aes128gcm16-sha256-prfsha256-ecp256' },
    ],
    ['alloc', '{"Type": "alloc"}', { type: 'alloc' }],
    [
      'extension',
      '{"Type": "extension", "SubnetAddCommand": "ip route add"}',
      {
        type: 'extension',
        preStartupCommand: '',
        postStartupCommand: '',
        subnetAddCommand: 'ip route add',
        subnetRemoveCommand: '',
      },
    ],
  ];
  test.each(good)('%s', (_, text, backend) => {
    const { value, problems, warnings } = backendOf(text);
    expect({ backend: value?.backend, problems, warnings }).toEqual({ backend, problems: [], warnings: [] });
  });

  const types = 'vxlan, udp, host-gw, wireguard, ipip, ipsec, alloc, extension';
  const bad: readonly [string, string, string][] = [
    [
      'an unknown type',
      '{"Type": "vxlam"}',
      `Backend.Type: unknown backend type "vxlam" (did you mean "vxlan"?); known are ${types}`,
    ],
    ['an empty type', '{"Type": ""}', `Backend.Type: unknown backend type ""; known are ${types}`],
    ['a type that is no word', '{"Type": 1}', 'Backend.Type: must be a string, not 1'],
    ['a backend that is no object', '"vxlan"', 'Backend: must be an object, not the string "vxlan"'],
    [
      'a VNI above 24 bits',
      '{"Type": "vxlan", "VNI": 16777216}',
      'Backend.VNI: must be at most 16777215, not 16777216',
    ],
    ['udp port 0', '{"Type": "udp", "Port": 0}', 'Backend.Port: must be at least 1, not 0'],
    [
      'a port in quotes',
      '{"Type": "udp", "Port": "8285"}',
      'Backend.Port: must be a number, not the string "8285"',
    ],
    [
      'a MacPrefix with colons',
      '{"Type": "vxlan", "MacPrefix": "0E:2A"}',
      'Backend.MacPrefix: must be two hexadecimal bytes such as "0E-2A"',
    ],
    [
      'a short ipsec key',
      '{"Type": "ipsec", "PSK": "short"}',
      'Backend.PSK: must have at least 96 characters, not 5',
    ],
    ['no ipsec key', '{"Type": "ipsec"}', 'Backend.PSK: is required: a string'],
    [
      'a wireguard key that is no key',
      '{"Type": "wireguard", "PSK": "geheim"}',
      'Backend.PSK: must be 32 bytes in base64, as "wg genpsk" prints',
    ],
    [
      'an unknown wireguard mode',
      '{"Type": "wireguard", "Mode": "Auto"}',
      'Backend.Mode: must be one of "separate", "auto", "ipv4", "ipv6", not the string "Auto" (did you mean "auto"?)',
    ],
  ];
  test.each(bad)('refuses %s', (_, text, problem) => {
    const { problems } = backendOf(text);
    expect(problems.map((line) => line.replace(/^net-conf.json:\d+:\d+: /, ''))).toEqual([problem]);
  });

  test('is vxlan with a warning where none is given', () => {
    const { value, warnings } = read('{"Network": "10.3.0.0/16"}');
    expect(value?.backend).toEqual(vxlan);
    expect(warnings).toEqual([
      'net-conf.json:1:1: Backend: is not given: vxlan is used; name the Type, since flannel itself falls back to udp',
    ]);
  });

  test('never shows a key in a problem', () => {
    const result = parseNetConf('{"Network": 1, "Backend": {"Type": "ipsec", "psk": "geheim"}}', 'x');
    expect(JSON.stringify(result)).not.toContain('geheim');
  });
});

describe('any accepted pool', () => {
  const cases: readonly IpFamily[] = [4, 6];
  test.each(cases)('of IPv%i holds subnets that validate, in the network', (family) => {
    const bits = familyBits(family);
    const longest = family === 4 ? 28 : 124;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: longest }),
        fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n }),
        fc.option(fc.integer({ min: 1, max: bits })),
        (length, value, len) => {
          const network = networkOf(`${bigIntToIp(value, family)}/${length}`);
          const lenText = len === null ? '' : `"${family === 4 ? '' : 'IPv6'}SubnetLen": ${len},`;
          const text =
            family === 4
              ? v4(`${lenText} "Network": "${network}"`)
              : v6(`${lenText} "IPv6Network": "${network}"`);
          const pool = read(text).value?.[family === 4 ? 'ipv4' : 'ipv6'];
          const isFit = len === null || (len >= length + 2 && len <= bits - 2);
          expect(pool !== undefined).toBe(isFit);
          if (pool === undefined) return;
          expect(subnetCount(pool)).toBe((1n << BigInt(pool.subnetLen - length)) - 1n);
          expect(prefixContains(network, pool.subnetMin) && prefixContains(network, pool.subnetMax)).toBe(
            true,
          );
          const { subnet } = chooseSubnet({ network: pool, taken: [], random: () => 0 });
          expect(validateSubnet(pool, subnet)).toBeUndefined();
          expect(ipToBigInt(pool.subnetMin)).toBe(ipToBigInt(subnet.split('/')[0] as string));
        },
      ),
    );
  });

  test('never throws, whatever the text', () => {
    const key = fc.constantFrom(
      'Network',
      'IPv6Network',
      'SubnetLen',
      'SubnetMin',
      'SubnetMax',
      'EnableIPv6',
      'IPv6SubnetLen',
      'IPv6SubnetMax',
      'Backend',
      'x',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('10.0.0.0/8', '10.1.0.0', 'fd00::/48', 24, 64, true, { Type: 'udp', Port: 1 }),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value), (object) => {
        const result = parseNetConf(JSON.stringify(object), 'x');
        expect(result.ok || result.problems.length > 0).toBe(true);
      }),
    );
  });
});
