import { describe, expect, it } from 'vitest';
import { isStale } from './event-expiry.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const event = (created: string, rest: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e', creationTimestamp: `2026-01-01T${created}Z` },
  ...rest,
});

describe('an event', () => {
  it.each<[boolean, string, object]>([
    [false, '11:30:00', {}],
    [true, '10:30:00', {}],
    [false, '10:30:00', { lastTimestamp: '2026-01-01T11:59:00Z' }],
    [false, '10:30:00', { series: { lastObservedTime: '2026-01-01T11:59:00.000000Z' } }],
    [true, '10:30:00', { lastTimestamp: '2026-01-01T10:45:00Z' }],
  ])('is stale (%j): created %s, %j', (expected, created, rest) => {
    expect(isStale(event(created, rest), NOW)).toBe(expected);
  });
});
