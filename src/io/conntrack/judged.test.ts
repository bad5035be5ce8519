import { expect, test } from 'vitest';
import { judgedFlow } from './judged.ts';

const kept = { mark: 0, status: 0 };

test('a flow to a service is one to the pod and port that answer, from the address it had before it was masqueraded', () => {
  const tracked = {
    ...kept,
    family: 6,
    protocol: 6,
    original: { source: 'fd00::1', destination: 'fd99::9', sourcePort: 4000, destinationPort: 80 },
    reply: { source: 'fd00::7', destination: 'fd77::1', sourcePort: 8080, destinationPort: 61_000 },
  } as const;
  expect(judgedFlow(tracked)).toEqual({
    source: 'fd00::1',
    destination: 'fd00::7',
    protocol: 6,
    sourcePort: 4000,
    destinationPort: 8080,
  });
});

test('a ping is judged by its question', () => {
  const tracked = {
    ...kept,
    family: 4,
    protocol: 1,
    original: { source: '10.0.0.1', destination: '10.0.0.2', icmp: { type: 8, code: 0, id: 7 } },
    reply: { source: '10.0.0.2', destination: '10.0.0.1', icmp: { type: 0, code: 0, id: 7 } },
  } as const;
  expect(judgedFlow(tracked)).toEqual({
    source: '10.0.0.1',
    destination: '10.0.0.2',
    protocol: 1,
    icmp: { type: 8, code: 0 },
  });
});
