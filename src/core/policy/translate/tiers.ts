/**
 * The tiers that are always there, where Calico has them: Kubernetes' policies are among those of `default`. Those of ClusterNetworkPolicy
 * have the names that Calico reserves for them, so that no tier of a user, who may well have one called admin, takes their place.
 */
import type { Tier } from '../model.ts';

export const ADMIN_TIER: Tier = { name: 'kube-admin', order: 1000, defaultAction: 'pass' };
export const DEFAULT_TIER: Tier = { name: 'default', order: 1_000_000, defaultAction: 'deny' };
export const BASELINE_TIER: Tier = { name: 'kube-baseline', order: 10_000_000, defaultAction: 'pass' };
/**
 * Profiles of host endpoints are asked when no tier has decided; what they leave open is for the engine to deny. No object has such a
 * name, and all of them come before it, those without an order too.
 */
export const PROFILES_TIER: Tier = {
  name: '~profiles',
  order: Number.POSITIVE_INFINITY,
  defaultAction: 'pass',
};
export const BUILT_IN_TIERS: readonly Tier[] = [ADMIN_TIER, DEFAULT_TIER, BASELINE_TIER, PROFILES_TIER];

/** The order that Calico gives to Kubernetes' NetworkPolicies. */
export const NETWORK_POLICY_ORDER = 1000;
