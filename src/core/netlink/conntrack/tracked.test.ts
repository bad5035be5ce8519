import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../message.ts';
import { conntrackMessage, type Entry } from './entry.ts';
import { decodeTrackedFlow, FLOW_CUT_MARK, markFlowRequest } from './tracked.ts';

const encode = (family: number, attributes: Entry['attributes']) =>
  encodeMessage(conntrackMessage, {
    type: 0x100,
    flags: 0,
    payload: { family, version: 0, resourceId: 0, attributes },
  });

const TCP: Entry['attributes'] = {
  original: {
    ip: { source: '10.1.0.2', destination: '10.96.0.9' },
    protocol: { number: 6, sourcePort: 40_000, destinationPort: 80 },
  },
  reply: {
    ip: { source: '10.2.0.3', destination: '10.1.0.2' },
    protocol: { number: 6, sourcePort: 8080, destinationPort: 40_000 },
  },
  status: 0x18e,
  protocolInfo: { tcp: { state: 3 } },
  timeout: 432_000,
  mark: 5,
  originalCounters: { packets: 3n, bytes: 180n },
  replyCounters: { packets: 2n, bytes: 120n },
  timestamp: { start: 1_000n, stop: 3_500n },
  id: 77,
  zone: 4,
};

const PING6: Entry['attributes'] = {
  original: {
    ip: { source6: 'fd00::1', destination6: 'fd00::2' },
    protocol: { number: 58, icmp6Id: 9, icmp6Type: 128, icmp6Code: 0 },
    zone: 3,
  },
  reply: {
    ip: { source6: 'fd00::2', destination6: 'fd00::1' },
    protocol: { number: 58, icmp6Id: 9, icmp6Type: 129, icmp6Code: 0 },
  },
};

const PING4: Entry['attributes'] = {
  original: {
    ip: { source: '10.1.0.2', destination: '10.2.0.3' },
    protocol: { number: 1, icmpId: 9, icmpType: 8, icmpCode: 0 },
  },
  reply: {
    ip: { source: '10.2.0.3', destination: '10.1.0.2' },
    protocol: { number: 1, icmpId: 9, icmpType: 0, icmpCode: 0 },
  },
};

test('an entry becomes a flow with both of its directions and all that the kernel counted', () => {
  expect(decodeTrackedFlow(encode(2, TCP))).toEqual({
    family: 4,
    protocol: 6,
    original: { source: '10.1.0.2', destination: '10.96.0.9', sourcePort: 40_000, destinationPort: 80 },
    reply: { source: '10.2.0.3', destination: '10.1.0.2', sourcePort: 8080, destinationPort: 40_000 },
    mark: 5,
    status: 0x18e,
    id: 77,
    zone: 4,
    timeoutSec: 432_000,
    tcpState: 3,
    packets: 5n,
    bytes: 300n,
    durationNs: 2_500n,
  });
  expect(decodeTrackedFlow(encode(10, PING6))).toEqual({
    family: 6,
    protocol: 58,
    original: {
      source: 'fd00::1',
      destination: 'fd00::2',
      icmp: { type: 128, code: 0, id: 9 },
      zone: 3,
    },
    reply: { source: 'fd00::2', destination: 'fd00::1', icmp: { type: 129, code: 0, id: 9 } },
    mark: 0,
    status: 0,
  });
});

describe('the request that marks a flow', () => {
  test.each([
    ['TCP over IPv4', 2, TCP],
    ['a ping over IPv4', 2, PING4],
    ['a ping over IPv6, each direction in a zone of its own', 10, PING6],
  ])('names %s as the kernel does', (_, family, attributes) => {
    const request = markFlowRequest(decodeTrackedFlow(encode(family, attributes)), FLOW_CUT_MARK, true);
    const { type, payload } = decodeMessage(conntrackMessage, request);
    expect(type).toBe(0x100);
    expect(payload.family).toBe(family);
    const { original, zone } = attributes;
    expect(payload.attributes).toEqual({
      original,
      mark: FLOW_CUT_MARK,
      markMask: FLOW_CUT_MARK,
      ...(zone !== undefined && { zone }),
    });
  });

  test('clears the one bit and no other', () => {
    const request = markFlowRequest(decodeTrackedFlow(encode(2, TCP)), FLOW_CUT_MARK, false);
    expect(decodeMessage(conntrackMessage, request).payload.attributes).toMatchObject({
      mark: 0,
      markMask: FLOW_CUT_MARK,
    });
  });
});

test('an entry without addresses is an error with its place', () => {
  expect(() => decodeTrackedFlow(encode(2, { mark: 1 }))).toThrow(
    'attributes: a flow without addresses or protocol (byte 0)',
  );
});
