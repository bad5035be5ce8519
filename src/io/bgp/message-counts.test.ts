import { expect, it } from 'vitest';
import { encodeMessage, notificationOf } from '#core/bgp/wire/index.ts';
import { MessageCounts } from './message-counts.ts';

it('messages are counted by direction and type', () => {
  const counts = new MessageCounts();
  const keepalive = encodeMessage({ type: 'keepalive' });
  counts.count('in', keepalive);
  counts.count('in', keepalive);
  counts.count('out', encodeMessage({ type: 'notification', notification: notificationOf(6, 2) }));
  const none = { open: 0, update: 0, notification: 0, keepalive: 0, refresh: 0 };
  expect(counts.of('in')).toEqual({ ...none, keepalive: 2 });
  expect(counts.of('out')).toEqual({ ...none, notification: 1 });
});
