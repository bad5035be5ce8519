/**
 * The keys of the firewall plugin, those of the reference plugin: backend, iptablesAdminChainName, firewalldZone, ingressPolicy. What
 * the reference writes with iptables is written with nf_tables; firewalld is told nothing, and a configuration that insists is refused.
 */
import { z } from 'zod';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';

export type IngressPolicy = 'open' | 'same-bridge' | 'isolated';

export interface FirewallConfig {
  readonly ingressPolicy: IngressPolicy;
  /** A chain of iptables with the operator's own rules, which nothing of ours leads to. */
  readonly adminChain: string;
}

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  backend: z.enum(['', 'iptables', 'nftables', 'firewalld']).default(''),
  iptablesAdminChainName: z.string().max(28).default(''),
  firewalldZone: z.string().default(''),
  ingressPolicy: z.enum(['', 'open', 'same-bridge', 'isolated']).default(''),
});

/** Throws CniError 7 for a wrong value, and 2 for the backend firewalld. */
export function parseFirewallConfig(network: NetworkConfig): FirewallConfig {
  const keys = decodeWith(schema, network.json, 'invalid network config');
  if (keys.backend === 'firewalld') {
    throw new CniError(
      CNI_ERROR.unsupportedField,
      'unsupported field "backend": "firewalld"',
      'take "nftables", and put the links or networks of pods into a zone of firewalld that accepts them',
    );
  }
  return {
    ingressPolicy: keys.ingressPolicy === '' ? 'open' : keys.ingressPolicy,
    adminChain: keys.iptablesAdminChainName,
  };
}
