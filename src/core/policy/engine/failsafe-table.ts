/** Ports of host endpoints that policies cannot close, as Felix has them by default: whoever gets a policy wrong can still reach the host. */
import { type Direction, PROTOCOLS, type Protocol } from '../model.ts';

/** A destination port that stays open. */
export interface FailsafePort {
  readonly protocol: Protocol;
  readonly port: number;
}

const { tcp, udp } = PROTOCOLS;

/** ssh, BGP, etcd, Typha, the API server, etcd's old ports; DHCP's answers come in. */
const EITHER_WAY: readonly FailsafePort[] = [179, 2379, 2380, 5473, 6443, 6666, 6667].map((port) => ({
  protocol: tcp,
  port,
}));

export const FAILSAFE_PORTS: Readonly<Record<Direction, readonly FailsafePort[]>> = {
  ingress: [{ protocol: tcp, port: 22 }, { protocol: udp, port: 68 }, ...EITHER_WAY],
  egress: [{ protocol: udp, port: 53 }, { protocol: udp, port: 67 }, ...EITHER_WAY],
};
