import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RemoteSubnet } from '#core/overlay/index.ts';
import { TunnelPeers } from './tunnel-peers.ts';

const remote = (subnet: string, publicIp: string): RemoteSubnet => ({
  node: 'any',
  family: publicIp.includes(':') ? 6 : 4,
  subnet,
  publicIp,
});

describe('the peers of a tunnel', () => {
  it('are a subnet and its node, in both families', () => {
    const peers = new TunnelPeers();
    expect(peers.upsert('b4', remote('10.1.2.0/24', '192.0.2.2'))).toEqual([
      'set 10.1.2.0/24 192.0.2.2',
      'set 192.0.2.2/32 192.0.2.2',
    ]);
    expect(peers.upsert('b6', remote('fd00:2::/64', '2001:db8::2'))).toEqual([
      'set fd00:2::/64 2001:db8::2',
      'set 2001:db8::2/128 2001:db8::2',
    ]);
    expect(peers.remove('b4')).toEqual(['remove 10.1.2.0/24', 'remove 192.0.2.2/32']);
    expect(peers.orders()).toEqual(['set fd00:2::/64 2001:db8::2', 'set 2001:db8::2/128 2001:db8::2']);
    expect(peers.remove('b4')).toEqual([]);
  });

  it('that say the same again change nothing, and one that moved changes what is other', () => {
    const peers = new TunnelPeers();
    peers.upsert('b', remote('10.1.2.0/24', '192.0.2.2'));
    expect(peers.upsert('b', remote('10.1.2.0/24', '192.0.2.2'))).toEqual([]);
    expect(peers.upsert('b', remote('10.1.2.0/24', '192.0.2.9'))).toEqual([
      'set 10.1.2.0/24 192.0.2.9',
      'remove 192.0.2.2/32',
      'set 192.0.2.9/32 192.0.2.9',
    ]);
  });

  it('that claim one subnet: the first by name has it, the other follows', () => {
    const peers = new TunnelPeers();
    peers.upsert('later', remote('10.1.2.0/24', '192.0.2.3'));
    expect(peers.upsert('earlier', remote('10.1.2.0/24', '192.0.2.2'))).toContain(
      'set 10.1.2.0/24 192.0.2.2',
    );
    expect(peers.remove('earlier')).toContain('set 10.1.2.0/24 192.0.2.3');
  });

  it('on one node share its address until the last has gone', () => {
    const peers = new TunnelPeers();
    peers.upsert('one', remote('10.1.2.0/24', '192.0.2.2'));
    peers.upsert('two', remote('10.1.3.0/24', '192.0.2.2'));
    expect(peers.remove('one')).toEqual(['remove 10.1.2.0/24']);
    expect(peers.remove('two')).toEqual(['remove 10.1.3.0/24', 'remove 192.0.2.2/32']);
  });

  it('told one by one come to what they are as a whole, in any order', () => {
    const change = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      subnet: fc.constantFrom('10.1.1.0/24', '10.1.2.0/24', undefined),
      outer: fc.constantFrom('192.0.2.1', '192.0.2.2'),
    });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const [peers, told] = [new TunnelPeers(), new Map<string, string>()];
        for (const { name, subnet, outer } of changes) {
          const orders =
            subnet === undefined ? peers.remove(name) : peers.upsert(name, remote(subnet, outer));
          for (const order of orders) {
            const [verb, prefix = '', to = ''] = order.split(' ');
            if (verb === 'set') told.set(prefix, to);
            else expect(told.delete(prefix)).toBe(true);
          }
        }
        expect([...told].map(([prefix, to]) => `set ${prefix} ${to}`).sort()).toEqual(peers.orders().sort());
      }),
    );
  });
});
