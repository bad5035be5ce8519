/** The messages a client sends: what each holds in which state (RFC 2131 tables 4 and 5). */
import type { IpAddress } from '#base/ip/index.ts';
import type { DhcpState } from './client-types.ts';
import { leasedAddress } from './lease.ts';
import { type DhcpMessage, optionRow } from './message.ts';
import { MESSAGE_TYPE, OPTION } from './options.ts';
import { BOOT_REQUEST } from './packet.ts';

export const NO_ADDRESS: IpAddress = '0.0.0.0';
export const BROADCAST: IpAddress = '255.255.255.255';

/** An Ethernet frame's worth of UDP payload and headers (RFC 2132 section 9.10). */
const MAX_MESSAGE_BYTES = 1500;
const MAX_SECS = 65535;

type Kind = 'discover' | 'request' | 'decline' | 'release';

/** The message that the state calls for. */
export function requestOf(state: DhcpState, kind: Kind, atMs: number): DhcpMessage {
  const { config, phase, lease, offer } = state;
  const holds = lease !== undefined && (phase === 'renewing' || phase === 'rebinding' || kind === 'release');
  const options = new Map<number, Uint8Array>([optionRow('messageType', MESSAGE_TYPE[kind])]);
  const asked = kind === 'discover' ? state.wanted : holds ? undefined : (offer?.address ?? state.wanted);
  if (asked !== undefined) options.set(...optionRow('requestedAddress', asked));
  const server = kind === 'release' ? lease?.serverId : kind === 'discover' ? undefined : offer?.serverId;
  if (server !== undefined && !(holds && kind === 'request')) options.set(...optionRow('serverId', server));
  if (kind === 'discover' || kind === 'request') {
    options.set(...optionRow('maxMessageBytes', MAX_MESSAGE_BYTES));
    options.set(...optionRow('parameterList', Uint8Array.from(config.request)));
    for (const [code, value] of config.provide) options.set(code, value);
  } else {
    const clientId = config.provide.get(OPTION.clientId);
    if (clientId !== undefined) options.set(OPTION.clientId, clientId);
  }
  const secs = Math.max(0, Math.floor((atMs - state.startedAtMs) / 1000));
  return {
    op: BOOT_REQUEST,
    xid: state.xid,
    secs: kind === 'discover' || kind === 'request' ? Math.min(MAX_SECS, secs) : 0,
    broadcast: config.broadcast && !holds,
    clientAddress: holds ? leasedAddress(lease) : NO_ADDRESS,
    yourAddress: NO_ADDRESS,
    relay: NO_ADDRESS,
    mac: config.mac,
    options,
  };
}
