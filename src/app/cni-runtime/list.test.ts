import { expect, test } from 'vitest';
import { type ListedAttachment, merged } from './list.ts';

const row = (over: Partial<ListedAttachment>): ListedAttachment => ({
  network: 'net',
  container: 'c1',
  interface: 'eth0',
  addresses: [],
  netns: '',
  state: 'unknown',
  recordedBy: ['agent'],
  ...over,
});

test('what the runtime and the agent know of one attachment is one row', () => {
  const cached = row({ netns: '/run/netns/a', state: 'gone', recordedBy: ['runtime'] });
  const ours = row({ addresses: ['10.1.0.2'] });
  expect(merged([cached, ours])).toEqual([
    { ...cached, addresses: ['10.1.0.2'], recordedBy: ['runtime', 'agent'] },
  ]);
});

test('rows are in the order of network, container and interface', () => {
  const rows = [row({ network: 'b' }), row({ container: 'c2' }), row({ interface: 'net1' }), row({})];
  expect(merged(rows).map((each) => [each.network, each.container, each.interface].join(' '))).toEqual([
    'b c1 eth0',
    'net c1 eth0',
    'net c1 net1',
    'net c2 eth0',
  ]);
});
