/** What of an API server policies are made of, and what they speak of. Kinds that a server does not have are none of its policies. */
import { type KubeObject, RESOURCES, type ResourcePath } from '#core/store/index.ts';

const calico = (plural: string, kind: string, namespaced: boolean): ResourcePath => ({
  group: 'projectcalico.org',
  version: 'v3',
  plural,
  kind,
  namespaced,
});
const cluster = (version: string, plural: string, kind: string): ResourcePath => ({
  group: 'policy.networking.k8s.io',
  version,
  plural,
  kind,
  namespaced: false,
});

/** What policies speak of, beside themselves: of no use as long as there is none. */
export const POLICY_CONTEXT: ReadonlySet<ResourcePath> = new Set([
  RESOURCES.namespaces,
  RESOURCES.nodes,
  RESOURCES.pods,
  { group: '', version: 'v1', plural: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true },
  {
    group: 'discovery.k8s.io',
    version: 'v1',
    plural: 'endpointslices',
    kind: 'EndpointSlice',
    namespaced: true,
  },
]);

export const POLICY_RESOURCES: readonly ResourcePath[] = [
  ...POLICY_CONTEXT,
  {
    group: 'networking.k8s.io',
    version: 'v1',
    plural: 'networkpolicies',
    kind: 'NetworkPolicy',
    namespaced: true,
  },
  cluster('v1alpha2', 'clusternetworkpolicies', 'ClusterNetworkPolicy'),
  cluster('v1alpha1', 'adminnetworkpolicies', 'AdminNetworkPolicy'),
  cluster('v1alpha1', 'baselineadminnetworkpolicies', 'BaselineAdminNetworkPolicy'),
  calico('tiers', 'Tier', false),
  calico('networkpolicies', 'NetworkPolicy', true),
  calico('globalnetworkpolicies', 'GlobalNetworkPolicy', false),
  calico('networksets', 'NetworkSet', true),
  calico('globalnetworksets', 'GlobalNetworkSet', false),
  calico('hostendpoints', 'HostEndpoint', false),
  calico('profiles', 'Profile', false),
  calico('stagednetworkpolicies', 'StagedNetworkPolicy', true),
  calico('stagedglobalnetworkpolicies', 'StagedGlobalNetworkPolicy', false),
  calico('stagedkubernetesnetworkpolicies', 'StagedKubernetesNetworkPolicy', true),
];

/** Where Calico keeps the same objects if its own API server is not there; the kinds are the same. Undefined for what is not Calico's. */
export function storedResource(resource: ResourcePath): ResourcePath | undefined {
  return resource.group === 'projectcalico.org'
    ? { ...resource, group: 'crd.projectcalico.org', version: 'v1' }
    : undefined;
}

/** The row of POLICY_RESOURCES that an object is of, wherever Calico keeps it; undefined if it is nothing to policies. */
export function policyResourceOf({ apiVersion, kind }: KubeObject): ResourcePath | undefined {
  const isOf = (resource: ResourcePath | undefined): boolean =>
    resource !== undefined && resource.kind === kind && apiVersionOf(resource) === apiVersion;
  return POLICY_RESOURCES.find((each) => isOf(each) || isOf(storedResource(each)));
}

/** `v1`, `networking.k8s.io/v1`. */
export function apiVersionOf({ group, version }: ResourcePath): string {
  return group === '' ? version : `${group}/${version}`;
}
