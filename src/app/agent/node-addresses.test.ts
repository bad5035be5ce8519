import { describe, expect, it } from 'vitest';
import { type Link, stateOf } from '#core/kernel/index.ts';
import { describeDrift, findNodeAddresses } from './node-addresses.ts';

const LINK: Link = { kind: 'link', name: 'eth1', detail: { type: 'veth' }, up: true, mtuBytes: 1500 };
const STATE = stateOf([
  LINK,
  { kind: 'address', link: 'eth1', address: '10.0.0.5/24', scope: 'global' },
  { kind: 'address', link: 'eth1', address: '10.0.0.6/24', scope: 'global' },
  { kind: 'address', link: 'eth1', address: 'fe80::5/64', scope: 'link' },
  { kind: 'address', link: 'eth1', address: 'fd00::5/64', scope: 'global' },
]);

describe('the addresses of a node', () => {
  it('are the first global ones of the link that is named', async () => {
    expect(await findNodeAddresses(STATE, [4, 6], { iface: 'eth1' })).toMatchObject({
      ipv4: '10.0.0.5',
      localIpv4: '10.0.0.5',
      ipv6: 'fd00::5',
      localIpv6: 'fd00::5',
    });
  });

  it('are public ones beside its own where something translates between', async () => {
    const found = await findNodeAddresses(STATE, [4], { iface: '10.0.0.6', publicIp: '203.0.113.7' });
    expect(found).toMatchObject({ ipv4: '203.0.113.7', localIpv4: '10.0.0.6', reason: '--iface 10.0.0.6' });
  });

  it('take the public address as it is where the link carries it', async () => {
    const found = await findNodeAddresses(STATE, [4], { publicIp: '10.0.0.6' });
    expect(found).toMatchObject({ ipv4: '10.0.0.6', localIpv4: '10.0.0.6', reason: 'it carries 10.0.0.6' });
  });

  it.each([
    [{ iface: 'eth9' }, '--iface "eth9" is no link and no address of this node'],
    [
      { iface: 'eth2' },
      'link eth2 has no IPv4 address and the network has IPv4: name another with --iface, or give --public-ip',
    ],
  ])('are refused with a reason: %j', async (wishes, message) => {
    const state = new Map(STATE).set('link eth2', { ...LINK, name: 'eth2' });
    await expect(findNodeAddresses(state, [4], wishes)).rejects.toThrow(message);
  });

  it('are told to have changed, each with what to do', async () => {
    const found = await findNodeAddresses(STATE, [4, 6], { iface: 'eth1' });
    expect(describeDrift(STATE, found)).toEqual([]);
    const moved = stateOf([
      { ...LINK, mtuBytes: 1400 },
      { kind: 'address', link: 'eth1', address: '10.0.0.9/24', scope: 'global' },
      { kind: 'address', link: 'eth1', address: 'fd00::5/64', scope: 'global' },
    ]);
    expect(describeDrift(moved, found)).toEqual([
      "the underlay's address 10.0.0.5 is gone: restart the agent to take another",
      'the MTU of eth1 was 1500 and is 1400: restart the agent to follow',
    ]);
    expect(describeDrift(stateOf([]), found)).toEqual(["the underlay's link eth1 is gone"]);
  });
});
