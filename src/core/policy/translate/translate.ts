/** From an object of an API to what the engine knows: one row for each kind. */
import { canonicalIp } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { ServiceEndpoint } from '../engine/index.ts';
import { type LabelMap, type Member, type Policy, type PolicyRef, PROTOCOLS, type Tier } from '../model.ts';
import { calicoPolicy, stagedKubernetesPolicy } from './calico-policy.ts';
import { calicoTier, hostEndpoint, networkSet, profile } from './calico-resources.ts';
import { adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy } from './cluster-policy.ts';
import type { DocumentProblem, Findings } from './document.ts';
import { nodeMember, podKey, podMember } from './members.ts';
import { networkPolicy } from './network-policy.ts';

/** What one object is to the engine. `gone` are those it is when it is deleted, or has stopped being a member. */
export type Fact =
  | { readonly is: 'policy'; readonly policy: Policy }
  | { readonly is: 'tier'; readonly tier: Tier }
  | { readonly is: 'member'; readonly member: Member }
  /** A pod that has no part in the network, or no more. */
  | { readonly is: 'no-member'; readonly key: string }
  | { readonly is: 'namespace'; readonly name: string; readonly labels: LabelMap }
  | {
      readonly is: 'service-account';
      readonly namespace: string;
      readonly name: string;
      readonly labels: LabelMap;
    }
  /** A part of a service's endpoints. */
  | {
      readonly is: 'endpoints';
      readonly namespace: string;
      readonly service: string;
      readonly slice: string;
      readonly endpoints: readonly ServiceEndpoint[];
    };

export interface Translated {
  /** Absent where there is a problem, or the kind says nothing to policies. */
  readonly fact?: Fact;
  /** Which policy the object is, whether it can be read or not. */
  readonly ref?: PolicyRef;
  readonly problems: readonly DocumentProblem[];
  readonly warnings: readonly DocumentProblem[];
}

type Reader = (object: KubeObject, findings: Findings) => Fact | undefined;
type PolicyReader = (object: KubeObject, findings: Findings) => Policy | undefined;

const policyFact =
  (read: PolicyReader): Reader =>
  (object, findings) => {
    const policy = read(object, findings);
    return policy && { is: 'policy', policy };
  };
const calico = (kind: Policy['ref']['kind']): Reader =>
  policyFact((object, findings) => calicoPolicy(object, kind, findings));

const CALICO_KINDS: Readonly<Record<string, Reader>> = {
  NetworkPolicy: calico('CalicoNetworkPolicy'),
  GlobalNetworkPolicy: calico('GlobalNetworkPolicy'),
  StagedNetworkPolicy: calico('StagedNetworkPolicy'),
  StagedGlobalNetworkPolicy: calico('StagedGlobalNetworkPolicy'),
  StagedKubernetesNetworkPolicy: policyFact(stagedKubernetesPolicy),
  Profile: policyFact(profile),
  Tier: (object, findings) => ({ is: 'tier', tier: calicoTier(object, findings) }),
  NetworkSet: (object, findings) => ({ is: 'member', member: networkSet(object, findings) }),
  GlobalNetworkSet: (object, findings) => ({ is: 'member', member: networkSet(object, findings) }),
  HostEndpoint: (object, findings) => ({ is: 'member', member: hostEndpoint(object, findings) }),
};

/** By API group, then by kind. */
export const READERS: Readonly<Record<string, Readonly<Record<string, Reader>>>> = {
  '': {
    Pod: (object) => podFact(object),
    Node: (object) => ({ is: 'member', member: nodeMember(object) }),
    Namespace: ({ metadata }) => ({
      is: 'namespace',
      name: metadata.name,
      labels: namespaceLabels(metadata),
    }),
    ServiceAccount: ({ metadata }) => ({
      is: 'service-account',
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      labels: metadata.labels ?? {},
    }),
  },
  'discovery.k8s.io': { EndpointSlice: (object) => endpointsFact(object) },
  'networking.k8s.io': { NetworkPolicy: policyFact(networkPolicy) },
  'policy.networking.k8s.io': {
    ClusterNetworkPolicy: policyFact(clusterNetworkPolicy),
    AdminNetworkPolicy: policyFact(adminNetworkPolicy),
    BaselineAdminNetworkPolicy: policyFact(baselineAdminNetworkPolicy),
  },
  'projectcalico.org': CALICO_KINDS,
  // As Calico keeps them in the API server itself.
  'crd.projectcalico.org': CALICO_KINDS,
};

/** Never throws. An object of a kind without a row gives nothing at all. */
export function translate(object: KubeObject): Translated {
  const findings: Findings = { problems: [], warnings: [] };
  const group = object.apiVersion.includes('/') ? (object.apiVersion.split('/')[0] as string) : '';
  const fact = READERS[group]?.[object.kind]?.(object, findings);
  const { problems, warnings } = findings;
  const ref = fact?.is === 'policy' ? { ref: fact.policy.ref } : {};
  return { ...(problems.length === 0 && fact && { fact }), ...ref, problems, warnings };
}

function podFact(object: KubeObject): Fact {
  const member = podMember(object);
  const { namespace = '', name } = object.metadata;
  return member === undefined ? { is: 'no-member', key: podKey(namespace, name) } : { is: 'member', member };
}

/** Every namespace has its name as a label; files that are read from disk may lack it. */
function namespaceLabels({ name, labels }: KubeObject['metadata']): LabelMap {
  return { ...labels, 'kubernetes.io/metadata.name': name };
}

const NUMBERS: Readonly<Record<string, number>> = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
};

interface SliceObject extends KubeObject {
  endpoints?: readonly { readonly addresses?: readonly string[] }[];
  ports?: readonly { readonly port?: number; readonly protocol?: string }[];
}

function endpointsFact(object: KubeObject): Fact | undefined {
  const { metadata, endpoints = [], ports = [] } = object as SliceObject;
  const service = metadata.labels?.['kubernetes.io/service-name'];
  if (service === undefined) return undefined;
  const addresses = endpoints
    .flatMap((each) => each.addresses ?? [])
    .flatMap((text) => canonicalIp(text) ?? []);
  return {
    is: 'endpoints',
    namespace: metadata.namespace ?? '',
    service,
    slice: metadata.name,
    endpoints: addresses.flatMap((address) =>
      ports.flatMap(({ port, protocol = 'TCP' }): ServiceEndpoint[] => {
        const number = NUMBERS[protocol];
        return port === undefined || number === undefined ? [] : [{ address, protocol: number, port }];
      }),
    ),
  };
}
