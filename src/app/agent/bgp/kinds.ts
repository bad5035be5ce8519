/** What of an API server BGP is made of: Calico's kinds, wherever they are kept, and nodes. */
import { RESOURCES, type ResourcePath } from '#core/store/index.ts';

const calico = (plural: string, kind: string): ResourcePath => ({
  group: 'projectcalico.org',
  version: 'v3',
  plural,
  kind,
  namespaced: false,
});

/** Where one of them is there, BGP is wanted. */
export const BGP_SIGNS: readonly ResourcePath[] = [
  calico('bgpconfigurations', 'BGPConfiguration'),
  calico('bgppeers', 'BGPPeer'),
];

export const BGP_KINDS: readonly ResourcePath[] = [
  ...BGP_SIGNS,
  calico('bgpfilters', 'BGPFilter'),
  calico('ippools', 'IPPool'),
  RESOURCES.nodes,
];

/** What single addresses of services follow from; of no use where no blocks of services are told. */
export const SERVICE_KINDS: readonly ResourcePath[] = [
  { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true },
  {
    group: 'discovery.k8s.io',
    version: 'v1',
    plural: 'endpointslices',
    kind: 'EndpointSlice',
    namespaced: true,
  },
];

/** Where Calico keeps the same objects if its own API server is not there. */
export function storedKind(resource: ResourcePath): ResourcePath | undefined {
  return resource.group === 'projectcalico.org'
    ? { ...resource, group: 'crd.projectcalico.org', version: 'v1' }
    : undefined;
}
