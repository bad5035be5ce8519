/**
 * The tunnel benchmark: pods on two nodes by the backends udp, vxlan and host-gw, and by a plain veth, in turns on this machine; medians
 * of the rounds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from '../options.ts';
import { Iperf, pingUs } from './measure.ts';
import { PodPair, WAYS, type Way } from './pair.ts';
import { jsonOf, type Row, type TunnelFigures, tableOf } from './report.ts';

interface Sizes {
  readonly rounds: number;
  readonly seconds: number;
  readonly pings: number;
}

const USUAL: Sizes = { rounds: 7, seconds: 3, pings: 2000 };
const QUICK: Sizes = { rounds: 1, seconds: 1, pings: 50 };

interface Side {
  readonly pair: PodPair;
  readonly iperf: Iperf;
}

/** Prints the table, or with `json` one line; progress goes to standard error. */
export async function benchTunnel({ json, quick }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-tunnel-'));
  try {
    await using opened = new AsyncDisposableStack();
    const sides: Record<string, Side> = {};
    for (const way of WAYS) {
      const pair = opened.use(await PodPair.open(way, folder));
      sides[way] = { pair, iperf: opened.use(await Iperf.start(pair)) };
    }
    const figures = await measure(sides as Record<Way, Side>, quick ? QUICK : USUAL);
    process.stdout.write(json ? `${JSON.stringify(jsonOf(figures))}\n` : tableOf(figures));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(sides: Record<Way, Side>, sizes: Sizes): Promise<TunnelFigures> {
  const { rounds, seconds, pings } = sizes;
  const few = Math.ceil(rounds / 2);
  // A first turn each, which does not count: neighbours are found, code and buffers are warm.
  for (const way of WAYS) await sides[way].iperf.tcpMbit(4, 1);
  const mbit = await inTurns('TCP, IPv4', sides, rounds, ({ iperf }) => iperf.tcpMbit(4, seconds));
  const packetsPerCall = await callsOf(sides.udp.pair);
  return {
    mbit,
    packetsPerCall,
    mbit6: await inTurns('TCP, IPv6', sides, few, ({ iperf }) => iperf.tcpMbit(6, seconds)),
    smallPackets: await inTurns('small packets', sides, few, ({ iperf }) => iperf.smallPackets(4, seconds)),
    pingUs: await inTurns('ping', sides, few, ({ pair }) => pingUs(pair, 4, pings)),
  };
}

/** Each way once in each round, so that what else the machine does meets all of them. */
async function inTurns(
  title: string,
  sides: Record<Way, Side>,
  rounds: number,
  once: (side: Side) => Promise<number>,
): Promise<Row> {
  process.stderr.write(`bench: ${title}: ${rounds} rounds\n`);
  const found: Record<Way, number[]> = { veth: [], hostgw: [], vxlan: [], udp: [] };
  for (let round = 0; round < rounds; round++)
    for (const way of WAYS) found[way].push(await once(sides[way]));
  return {
    veth: median(found.veth),
    hostgw: median(found.hostgw),
    vxlan: median(found.vxlan),
    udp: median(found.udp),
  };
}

/** Packets of the sending node and of the receiving one for each of their tunnels' system calls that carry any. */
async function callsOf(pair: PodPair): Promise<TunnelFigures['packetsPerCall']> {
  const [from, to] = (await pair.counters()).map((each) => each.ipv4);
  if (from === undefined || to === undefined) throw new Error('a tunnel ended');
  return {
    sent: from.sentPackets / (from.deviceReads + from.socketSends),
    received: to.receivedPackets / (to.deviceWrites + to.socketReceives),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const at = (index: number) => sorted[index] as number;
  return sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
}
