/** What the tunnel benchmark found, for people and for programs. */
import { WAYS, type Way } from './pair.ts';

/** One figure of each way. */
export type Row = Readonly<Record<Way, number>>;

export interface TunnelFigures {
  /** Mbit/s of one TCP connection. */
  readonly mbit: Row;
  readonly mbit6: Row;
  /** Datagrams of 200 bytes a second that arrive. */
  readonly smallPackets: Row;
  /** Mean time of a ping, µs. */
  readonly pingUs: Row;
  /** Of the udp backend: packets for each system call, out and in. */
  readonly packetsPerCall: { readonly sent: number; readonly received: number };
}

const BAR_WIDTH = 40;

const NAMES: Readonly<Record<Way, string>> = {
  veth: 'plain veth',
  hostgw: 'host-gw',
  vxlan: 'vxlan',
  udp: 'udp',
};

/** `mbit` in IPv4; `ratio` is udp to vxlan: of throughput above 1 udp is the faster one, of ping times below. */
export function jsonOf({ mbit, mbit6, smallPackets, pingUs, packetsPerCall }: TunnelFigures): object {
  return {
    mbit: whole(mbit),
    mbit6: whole(mbit6),
    smallPackets: whole(smallPackets),
    pingUs: whole(pingUs),
    ratio: {
      mbit: share(mbit),
      mbit6: share(mbit6),
      smallPackets: share(smallPackets),
      pingUs: share(pingUs),
    },
    packetsPerCall: {
      sent: Math.round(packetsPerCall.sent * 10) / 10,
      received: Math.round(packetsPerCall.received * 10) / 10,
    },
  };
}

/** The same with bars. */
export function tableOf(figures: TunnelFigures): string {
  const { sent, received } = figures.packetsPerCall;
  return [
    ...bars('TCP, IPv4', 'Mbit/s', figures.mbit),
    ...bars('TCP, IPv6', 'Mbit/s', figures.mbit6),
    ...bars('datagrams of 200 bytes, IPv4', 'a second', figures.smallPackets),
    ...bars('ping, IPv4', 'µs', figures.pingUs),
    `udp carries ${sent.toFixed(1)} packets with a system call out, ${received.toFixed(1)} in`,
    '',
  ].join('\n');
}

function bars(title: string, unit: string, row: Row): string[] {
  const most = Math.max(...WAYS.map((way) => row[way]));
  return [
    `${title}: udp to vxlan ${share(row)}`,
    ...WAYS.map((way) => {
      const bar = '█'.repeat(Math.max(1, Math.round((BAR_WIDTH * row[way]) / most))).padEnd(BAR_WIDTH);
      return `  ${NAMES[way].padEnd(12)} ${bar} ${Math.round(row[way])} ${unit}`;
    }),
    '',
  ];
}

function whole(row: Row): Record<string, number> {
  return Object.fromEntries(WAYS.map((way) => [way, Math.round(row[way])]));
}

const share = ({ udp, vxlan }: Row) => Math.round((udp / vxlan) * 100) / 100;
