/** All kinds of objects that say something to policies: one row for each. */
import type { KubeObject } from '#core/store/index.ts';
import type { PolicyKind } from '../model.ts';
import { calicoPolicy, stagedKubernetesPolicy } from './calico-policy.ts';
import { calicoTier, hostEndpoint, networkSet, profile } from './calico-resources.ts';
import { adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy } from './cluster-policy.ts';
import type { Findings } from './document.ts';
import { servicePart } from './endpoint-slice.ts';
import type { Fact } from './fact.ts';
import { nodeMember, podKey, podMember } from './members.ts';
import { networkPolicy } from './network-policy.ts';

export interface Kind {
  readonly isNamespaced: boolean;
  /** Its documents have a spec and a status and nothing else, and are written by people: other keys are worth a word. */
  readonly isWritten: boolean;
  readonly read: (object: KubeObject, findings: Findings) => Fact | undefined;
}

const policy = (
  read: (object: KubeObject, findings: Findings) => Extract<Fact, { is: 'policy' }>['policy'],
  isNamespaced = false,
): Kind => ({
  isNamespaced,
  isWritten: true,
  read: (object, findings) => ({ is: 'policy', policy: read(object, findings) }),
});
const calico = (kind: PolicyKind, isNamespaced = false): Kind =>
  policy((object, findings) => calicoPolicy(object, kind, findings), isNamespaced);
const set = (isNamespaced: boolean): Kind => ({
  isNamespaced,
  isWritten: true,
  read: (object, findings) => ({ is: 'member', member: networkSet(object, isNamespaced, findings) }),
});

const CALICO_KINDS: Readonly<Record<string, Kind>> = {
  NetworkPolicy: calico('CalicoNetworkPolicy', true),
  GlobalNetworkPolicy: calico('GlobalNetworkPolicy'),
  StagedNetworkPolicy: calico('StagedNetworkPolicy', true),
  StagedGlobalNetworkPolicy: calico('StagedGlobalNetworkPolicy'),
  StagedKubernetesNetworkPolicy: policy(stagedKubernetesPolicy, true),
  NetworkSet: set(true),
  GlobalNetworkSet: set(false),
  Tier: {
    isNamespaced: false,
    isWritten: true,
    read: (object, findings) => ({ is: 'tier', tier: calicoTier(object, findings) }),
  },
  HostEndpoint: {
    isNamespaced: false,
    isWritten: true,
    read: (object, findings) => ({ is: 'host-endpoint', ...hostEndpoint(object, findings) }),
  },
  Profile: {
    isNamespaced: false,
    isWritten: true,
    read: (object, findings) => ({
      is: 'profile',
      name: object.metadata.name,
      ...profile(object, findings),
    }),
  },
};

const CORE_KINDS: Readonly<Record<string, Kind>> = {
  Pod: { isNamespaced: true, isWritten: false, read: podFact },
  Node: {
    isNamespaced: false,
    isWritten: false,
    read: (object, findings) => ({ is: 'member', member: nodeMember(object, findings) }),
  },
  Namespace: {
    isNamespaced: false,
    isWritten: false,
    read: ({ metadata: { name, labels } }) => ({
      is: 'namespace',
      name,
      // The API server gives it to each; files that are read from disk may lack it.
      labels: { ...labels, 'kubernetes.io/metadata.name': name },
    }),
  },
  ServiceAccount: {
    isNamespaced: true,
    isWritten: false,
    read: ({ metadata: { namespace = '', name, labels = {} } }) => ({
      is: 'service-account',
      namespace,
      name,
      labels,
    }),
  },
};

/** By API group, then by kind. */
export const KINDS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  '': CORE_KINDS,
  'discovery.k8s.io': { EndpointSlice: { isNamespaced: true, isWritten: false, read: endpointsFact } },
  'networking.k8s.io': { NetworkPolicy: policy(networkPolicy, true) },
  'policy.networking.k8s.io': {
    ClusterNetworkPolicy: policy(clusterNetworkPolicy),
    AdminNetworkPolicy: policy(adminNetworkPolicy),
    BaselineAdminNetworkPolicy: policy(baselineAdminNetworkPolicy),
  },
  'projectcalico.org': CALICO_KINDS,
  // As Calico keeps them in the API server itself (calico-stored.ts).
  'crd.projectcalico.org': CALICO_KINDS,
};

/** The row of an object's kind. */
export function kindOf({ apiVersion, kind }: KubeObject): Kind | undefined {
  const kinds = own(KINDS, groupOf(apiVersion));
  return kinds && own(kinds, kind);
}

/** `networking.k8s.io` of `networking.k8s.io/v1`; empty for `v1`. */
export function groupOf(apiVersion: unknown): string {
  return typeof apiVersion === 'string' && apiVersion.includes('/')
    ? (apiVersion.split('/')[0] as string)
    : '';
}

/** A kind may be called like something that every object has. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function podFact(object: KubeObject, findings: Findings): Fact {
  const member = podMember(object, findings);
  const { namespace = '', name } = object.metadata;
  return member === undefined ? { is: 'no-member', key: podKey(namespace, name) } : { is: 'member', member };
}

function endpointsFact(object: KubeObject, findings: Findings): Fact | undefined {
  const part = servicePart(object, findings);
  const { namespace = '', name } = object.metadata;
  return part && { is: 'endpoints', namespace, slice: name, ...part };
}
