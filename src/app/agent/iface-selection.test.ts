import { describe, expect, it, test } from 'vitest';
import type { IpFamily } from '#base/ip/index.ts';
import { type KernelObject, type Link, stateOf } from '#core/kernel/index.ts';
import { type IfaceWishes, type SourceTo, selectIface } from './iface-selection.ts';

const link = (name: string, alias?: string): Link => ({
  kind: 'link',
  name,
  detail: { type: 'veth' },
  up: true,
  mtuBytes: 1500,
  ...(alias !== undefined && { alias }),
});
const address = (on: string, text: string, scope: 'global' | 'host' | 'link' = 'global'): KernelObject => ({
  kind: 'address',
  link: on,
  address: text,
  scope,
});
const STATE = stateOf([
  link('lo'),
  address('lo', '127.0.0.1/8', 'host'),
  link('flannel.1', 'poplin:overlay'),
  address('flannel.1', '10.244.1.0/32'),
  address('flannel.1', 'fd44::/128'),
  link('eth0'),
  address('eth0', '10.0.0.5/24'),
  address('eth0', 'fe80::5/64', 'link'),
  link('eth1'),
  address('eth1', '192.168.5.5/24'),
  address('eth1', '192.168.5.6/24'),
  address('eth1', 'fd05::5/64'),
  address('eth1', 'fd05::6/64'),
]);
/** The default route of IPv4 leads by eth0, all of IPv6 and 192.168.0.0/16 by eth1. */
const sourceTo: SourceTo = async (to) =>
  to.includes(':') ? 'fd05::6' : to.startsWith('192.168.') ? '192.168.5.6' : '10.0.0.5';

const select = async (families: readonly IpFamily[], wishes: IfaceWishes, source = sourceTo) => {
  const chosen = await selectIface(STATE, families, wishes, source);
  return [chosen.link.name, chosen.local[4], chosen.local[6], chosen.reason];
};

describe('the underlay is', () => {
  it.each<[string, readonly IpFamily[], IfaceWishes, readonly (string | undefined)[]]>([
    ['a named link', [4, 6], { ifaces: ['eth1'] }, ['eth1', '192.168.5.5', 'fd05::5', '--iface eth1']],
    [
      'one by its address, which is then its own',
      [4],
      { iface: '192.168.5.6' },
      ['eth1', '192.168.5.6', undefined, '--iface 192.168.5.6'],
    ],
    [
      'one by its IPv6 address',
      [4, 6],
      { ifaces: ['fd05::6'] },
      ['eth1', '192.168.5.5', 'fd05::6', '--iface fd05::6'],
    ],
    [
      'the first of several that fits',
      [4, 6],
      { ifaces: ['eth9', 'eth0', 'eth1'] },
      ['eth1', '192.168.5.5', 'fd05::5', '--iface eth1'],
    ],
    [
      'one that an expression finds by address',
      [4],
      { ifaceRegexes: [/^192\.168\..*6$/] },
      ['eth1', '192.168.5.6', undefined, '--iface-regex ^192\\.168\\..*6$ matches 192.168.5.6'],
    ],
    [
      'one that an expression finds in both families',
      [4, 6],
      { ifaceRegexes: [/5\.6$|::6$/] },
      ['eth1', '192.168.5.6', 'fd05::6', '--iface-regex 5\\.6$|::6$ matches 192.168.5.6 and fd05::6'],
    ],
    [
      'one that an expression finds in one family of two',
      [4, 6],
      { ifaceRegexes: [/^192/] },
      ['eth1', '192.168.5.5', 'fd05::5', '--iface-regex ^192 matches 192.168.5.5'],
    ],
    [
      'one that an expression finds by name',
      [4],
      { ifaceRegexes: [/^eth1$/] },
      ['eth1', '192.168.5.5', undefined, '--iface-regex ^eth1$'],
    ],
    [
      'none of ours and not the loopback, whatever fits all',
      [4],
      { ifaceRegexes: [/./] },
      ['eth0', '10.0.0.5', undefined, '--iface-regex . matches 10.0.0.5'],
    ],
    [
      'by the second expression if the first finds none',
      [4],
      { ifaceRegexes: [/^172/, /1$/] },
      ['eth1', '192.168.5.5', undefined, '--iface-regex 1$'],
    ],
    [
      'by expression only if no named link fits',
      [4],
      { ifaces: ['eth0'], ifaceRegexes: [/eth1/] },
      ['eth0', '10.0.0.5', undefined, '--iface eth0'],
    ],
    [
      'where an address is reached',
      [4],
      { ifaces: ['eth9'], ifaceCanReach: '192.168.9.9' },
      ['eth1', '192.168.5.6', undefined, '--iface-can-reach 192.168.9.9'],
    ],
    [
      'where the public address is',
      [4, 6],
      { publicIp: '192.168.5.6' },
      ['eth1', '192.168.5.6', 'fd05::5', 'it carries 192.168.5.6'],
    ],
    ['where the default route leads', [4], {}, ['eth0', '10.0.0.5', undefined, 'the default route of IPv4']],
    [
      'where a default route leads that fits both families',
      [4, 6],
      {},
      ['eth1', '192.168.5.5', 'fd05::5', 'the default route of IPv6'],
    ],
    [
      'one without addresses where public ones are given',
      [4, 6],
      { ifaces: ['eth0'], publicIpv6: '2001:db8::9' },
      ['eth0', '10.0.0.5', undefined, '--iface eth0'],
    ],
  ])('%s', async (_name, families, wishes, wanted) => {
    expect(await select(families, wishes)).toEqual(wanted);
  });

  test('refused with all that was tried', async () => {
    const wishes = {
      ifaces: ['eth9', 'eth0'],
      ifaceRegexes: [/^172/],
      ifaceCanReach: '192.0.2.7',
    };
    await expect(select([4, 6], wishes, async () => undefined)).rejects.toThrow(
      '--iface "eth9" is no link and no address of this node; ' +
        'link eth0 has no IPv6 address and the network has IPv6: name another with --iface, or give --public-ipv6; ' +
        '--iface-regex ^172 matches none of lo, eth0 (10.0.0.5), eth1 (192.168.5.5, 192.168.5.6, fd05::5, fd05::6); ' +
        '--iface-can-reach 192.0.2.7: no link leads there',
    );
    await expect(select([4], {}, async () => undefined)).rejects.toThrow('no default route');
  });
});
