/**
 * What matters of a Node object: its pod subnets and flannel's annotations. All else, heartbeats above all, changes without any
 * effect here. Whoever may write the object may write anything into it: nothing is believed to have the right shape.
 */
import type { KubeObject } from '#core/store/index.ts';
import { FAMILY_KEYS } from '../model.ts';
import type { NodeAnnotations } from './annotations.ts';

export interface NodeFacts {
  readonly name: string;
  /** Empty where the store gives none. */
  readonly uid: string;
  readonly createdAt: string;
  /** As they stand in the object. */
  readonly podCidrs: readonly string[];
  /** Those of flannel's that the node has, by their names. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly isWindows: boolean;
}

export function nodeFacts(node: KubeObject, names: NodeAnnotations): NodeFacts {
  const { name, uid, creationTimestamp, labels } = node.metadata;
  const found = keysOf(node.metadata.annotations);
  const annotations: Record<string, string> = {};
  for (const key of annotationKeys(names)) {
    const value = found[key];
    if (typeof value === 'string') annotations[key] = value;
  }
  return {
    name,
    uid: uid ?? '',
    createdAt: creationTimestamp ?? '',
    podCidrs: podCidrsOf(keysOf(node['spec'])),
    annotations,
    isWindows: keysOf(labels)['kubernetes.io/os'] === 'windows',
  };
}

/** Equal facts have equal texts. */
export function factsText(facts: NodeFacts): string {
  return JSON.stringify([facts.uid, facts.podCidrs, facts.annotations, facts.isWindows]);
}

function annotationKeys(names: NodeAnnotations): readonly string[] {
  const { managed, backendType } = names;
  return [managed, backendType, ...FAMILY_KEYS.flatMap((key) => Object.values(names[key]) as string[])];
}

/** podCIDRs, or podCIDR where an old server knows no other. */
function podCidrsOf({ podCIDR, podCIDRs }: Keys): readonly string[] {
  const list = Array.isArray(podCIDRs) && podCIDRs.length > 0 ? podCIDRs : [podCIDR];
  return list.flatMap((cidr: unknown) => (typeof cidr === 'string' && cidr !== '' ? [cidr] : []));
}

type Keys = { readonly [key: string]: unknown };

function keysOf(value: unknown): Keys {
  return typeof value === 'object' && value !== null ? (value as Keys) : {};
}
