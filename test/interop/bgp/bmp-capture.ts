/** What goes to a BMP station, as Wireshark reads it: a station that takes whatever comes, and what tshark makes of the packets. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { BgpEndpoint, dial, type TcpStream } from '#io/bgp/index.ts';
import { systemClock } from '#io/clock/index.ts';
import type { BgpLan, LanNode } from './lan.ts';

/** Fields of one BMP message by Wireshark's names; of a name that occurs more than once all values. */
export type BmpFields = ReadonlyMap<string, readonly string[]>;

export const BMP_PORTS = { ours: 11_019, theirs: 11_020 } as const;

/** More than a capture begins with. */
const HEAD_BYTES = 1024;
const WAIT = { timeout: 30_000, interval: 200 };

export class BmpCapture implements AsyncDisposable {
  readonly #file: string;
  readonly #tshark: ChildProcess;
  readonly #doors: BgpEndpoint[] = [];
  #streams: TcpStream[] = [];

  private constructor(node: LanNode, file: string) {
    this.#file = file;
    const ports = Object.values(BMP_PORTS)
      .map((port) => `tcp port ${port}`)
      .join(' or ');
    this.#tshark = spawn(
      'nsenter',
      [`--net=${node.namespace.path}`, 'tshark', '-l', '-i', 'eth0', '-f', ports, '-w', file],
      { stdio: ['ignore', 'ignore', 'ignore'] },
    );
    for (const port of Object.values(BMP_PORTS)) {
      const door = BgpEndpoint.open({
        clock: systemClock,
        namespace: node.namespace,
        port,
        addresses: [node.ipv4],
      });
      door.add({ peer: '10.77.0.0/24', onStream: (stream) => this.#take(stream) });
      this.#doors.push(door);
    }
  }

  /** Captures from now on; `other` is a node with which that is tried. */
  static async begin(lan: BgpLan, name: string, other: string): Promise<BmpCapture> {
    const capture = new BmpCapture(lan.node(name), join(lan.folder, 'bmp.pcapng'));
    await vi.waitFor(() => {
      const options = { clock: systemClock, namespace: lan.node(other).namespace, port: BMP_PORTS.ours };
      dial(
        { ...options, remote: lan.node(name).ipv4 },
        { onStream: (stream) => stream.destroy(), onFailure: () => undefined },
      );
      // The head of the file, and packets of such a connection.
      expect(statSync(capture.#file).size).toBeGreaterThan(HEAD_BYTES);
    }, WAIT);
    capture.hangUp();
    return capture;
  }

  /** Messages in order, of one port, as far as they have been captured. */
  messages(port: number): readonly BmpFields[] {
    const reassembled = ['-o', 'tcp.desegment_tcp_streams:TRUE'];
    const args = [
      '-r',
      this.#file,
      '-d',
      `tcp.port==${port},bmp`,
      ...reassembled,
      '-Y',
      `bmp && tcp.dstport==${port}`,
    ];
    const text = execFileSync('tshark', [...args, '-T', 'json', '--no-duplicate-keys'], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const packets = JSON.parse(text) as readonly {
      readonly _source: { readonly layers: { readonly bmp?: unknown } };
    }[];
    return packets
      .flatMap(({ _source }) => [_source.layers.bmp ?? []].flat())
      .map((message) => {
        const fields = new Map<string, string[]>();
        collect(message, fields);
        return fields;
      });
  }

  /** Connections are closed by the station. */
  hangUp(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#streams = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    for (const door of this.#doors) door.close();
    const gone = once(this.#tshark, 'exit');
    this.#tshark.kill('SIGTERM');
    await gone;
  }

  #take(stream: TcpStream): void {
    this.#streams.push(stream);
    stream.start({ onBytes: () => undefined, onEnd: () => undefined, onDrain: () => undefined });
  }
}

function collect(value: unknown, into: Map<string, string[]>): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const each of value) collect(each, into);
    return;
  }
  for (const [name, each] of Object.entries(value)) {
    for (const leaf of [each].flat())
      if (typeof leaf === 'string') into.set(name, [...(into.get(name) ?? []), leaf]);
    collect(each, into);
  }
}
