/**
 * How this kernel lets packets between two ports of a bridge be judged. What it can is tried out in a transaction that cannot succeed, since it
 * also wants something removed that is not there: the kernel goes through all of it before it gives up, and nothing has changed.
 */
import type { KernelOp } from '#core/kernel/index.ts';
import { encodeNftOps } from '#core/netlink/nftables/index.ts';
import { act, field, match, type NftChain, rule } from '#core/nft/index.ts';
import type { BridgeMode } from '#core/policy/compile/index.ts';
import { type Namespace, readSysctl } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkSocket, nftBatchSync } from '#io/netlink/index.ts';

/** br_netfilter's, of each namespace; not there without it. */
const BRIDGE_SYSCTL = 'net/bridge/bridge-nf-call-iptables';

const TABLE = { family: 'bridge', table: 'poplin-probe' } as const;

function chain(name: string, rules: NftChain['rules']): NftChain {
  return { kind: 'nft-chain', ...TABLE, name, rules };
}

const TRIAL: readonly KernelOp[] = [
  { verb: 'add', object: { kind: 'nft-table', family: TABLE.family, name: TABLE.table } },
  { verb: 'add', object: chain('plain', [rule('bridge', [act.accept])]) },
  {
    verb: 'add',
    object: chain('tracked', [rule('bridge', [match.is(field.ctState, 'established'), act.accept])]),
  },
  { verb: 'remove', object: chain('never', []) },
];
const [PLAIN, TRACKED, NEVER] = [1, 2, 3] as const;

/** Throws a NetlinkError if the kernel cannot be asked. */
export function bridgeMode(namespace: Namespace): BridgeMode {
  const refused = refusedOps(namespace);
  if (!refused.has(NEVER)) throw new Error('the kernel did what it could not do');
  if (refused.has(PLAIN)) return 'none';
  if (!refused.has(TRACKED)) return 'conntrack';
  return readSysctl(namespace, BRIDGE_SYSCTL) === undefined ? 'none' : 'netfilter';
}

function refusedOps(namespace: Namespace): Set<number> {
  const { messages, opIndex } = encodeNftOps(TRIAL);
  using socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace });
  const { failures } = nftBatchSync(socket, messages);
  return new Set(failures.map(({ index }) => opIndex[index] ?? -1));
}
