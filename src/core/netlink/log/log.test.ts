import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../message.ts';
import { bindLogRequest, decodeLoggedPacket, unbindLogRequest } from './listener.ts';
import { LOG_MESSAGE, logConfigMessage, logPacketMessage } from './message.ts';

test('who listens says in one message what it wants, and gives the group back in another', () => {
  const request = bindLogRequest({ group: 112, copyBytes: 128, bufferBytes: 32_768, delayMs: 50 });
  expect(decodeMessage(logConfigMessage, request)).toEqual({
    type: LOG_MESSAGE.CONFIG,
    flags: 0,
    payload: {
      family: 0,
      version: 0,
      group: 112,
      attributes: {
        command: 1,
        mode: { copyBytes: 128, copyMode: 2 },
        bufferBytes: 32_768,
        timeout: 5,
        flags: 1,
      },
    },
  });
  expect(decodeMessage(logConfigMessage, unbindLogRequest(112)).payload).toMatchObject({
    group: 112,
    attributes: { command: 2 },
  });
});

test('a logged packet comes with its prefix, its links and its place in the row', () => {
  const message = encodeMessage(logPacketMessage, {
    type: LOG_MESSAGE.PACKET,
    flags: 0,
    payload: {
      family: 10,
      version: 0,
      group: 112,
      attributes: {
        packet: { etherType: 0x86dd, hook: 2 },
        mark: 7,
        timestamp: { seconds: 1_700_000_000n, microseconds: 250_000n },
        inputLink: 3,
        outputLink: 4,
        uid: 33,
        sequence: 9,
        prefix: 'poplin:iA0123456789abcdef',
        payload: Uint8Array.of(0x60, 0, 0, 0),
      },
    },
  });
  expect(decodeLoggedPacket(message)).toEqual({
    group: 112,
    prefix: 'poplin:iA0123456789abcdef',
    payload: Uint8Array.of(0x60, 0, 0, 0),
    etherType: 0x86dd,
    mark: 7,
    inputLink: 3,
    outputLink: 4,
    uid: 33,
    atMs: 1_700_000_000_250,
    sequence: 9,
  });
});
