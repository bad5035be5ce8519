import { describe, expect, test } from 'vitest';
import type { KernelOp, WireguardPeer } from '#core/kernel/index.ts';
import { decodeMessage } from '../message.ts';
import { wireguardMessage } from './wireguard.ts';
import { encodeWireguardOp } from './wireguard-op.ts';

const key = (byte: number) => btoa(String.fromCharCode(...Array<number>(32).fill(byte)));
const bytes = (byte: number) => new Uint8Array(32).fill(byte);
const sent = (op: KernelOp) => decodeMessage(wireguardMessage, encodeWireguardOp(40, op)).payload;

const peer: WireguardPeer = {
  kind: 'wireguard-peer',
  link: 'wg0',
  publicKey: key(7),
  endpoint: { address: '2001:db8::2', port: 51_820 },
  presharedKey: key(9),
  keepaliveSec: 25,
};
const allowed = {
  kind: 'wireguard-allowed-ip',
  link: 'wg0',
  prefix: '10.1.0.0/16',
  publicKey: key(7),
} as const;

describe('operations on WireGuard send what differs', () => {
  test('a peer whole, then its endpoint alone, then nothing of it', () => {
    expect(sent({ verb: 'add', object: peer })).toEqual({
      command: 1,
      version: 1,
      attributes: {
        name: 'wg0',
        peers: [{ publicKey: bytes(7), presharedKey: bytes(9), endpoint: peer.endpoint, keepaliveSec: 25 }],
      },
    });
    const endpoint = { address: '192.0.2.2', port: 1 };
    expect(sent({ verb: 'replace', object: { ...peer, endpoint }, previous: peer }).attributes.peers).toEqual(
      [{ publicKey: bytes(7), flags: 4, endpoint }],
    );
    expect(
      sent({ verb: 'replace', object: { ...peer, presharedKey: '' }, previous: peer }).attributes.peers,
    ).toEqual([{ publicKey: bytes(7), flags: 4, presharedKey: bytes(0) }]);
    expect(sent({ verb: 'remove', object: peer }).attributes.peers).toEqual([
      { publicKey: bytes(7), flags: 1 },
    ]);
  });

  test('a prefix beside the others of its peer; taken away by way of a peer that goes', () => {
    const allowedIps = [{ family: 2, address: '10.1.0.0', length: 16 }];
    expect(sent({ verb: 'add', object: allowed }).attributes.peers).toEqual([
      { publicKey: bytes(7), flags: 4, allowedIps },
    ]);
    const [taker, end] = sent({ verb: 'remove', object: allowed }).attributes.peers ?? [];
    expect(taker).toEqual({ publicKey: taker?.publicKey, allowedIps });
    expect(end).toEqual({ publicKey: taker?.publicKey, flags: 1 });
    expect(taker?.publicKey).not.toEqual(bytes(7));
  });

  test('a device; removed, it has no key and no peers', () => {
    const device = { kind: 'wireguard-device', link: 'wg0', privateKey: key(64), listenPort: 5 } as const;
    expect(sent({ verb: 'add', object: device }).attributes).toEqual({
      name: 'wg0',
      privateKey: bytes(64),
      listenPort: 5,
    });
    const object = { ...device, listenPort: 6 };
    expect(sent({ verb: 'replace', object, previous: device }).attributes).toEqual({
      name: 'wg0',
      listenPort: 6,
    });
    expect(sent({ verb: 'remove', object: device }).attributes).toEqual({
      name: 'wg0',
      privateKey: bytes(0),
      fwmark: 0,
      flags: 1,
    });
  });

  test.each(['', 'secret', btoa('too short to be a key')])(
    'a key that is none is not repeated: "%s"',
    (bad) => {
      const op: KernelOp = { verb: 'add', object: { ...peer, publicKey: bad, presharedKey: bad } };
      expect(() => sent(op)).toThrow(/^a key is not 32 bytes in base64$/);
    },
  );
});
