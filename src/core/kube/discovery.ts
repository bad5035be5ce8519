/**
 * Discovery documents: the plain ones (/api, /apis, /apis/GROUP, /apis/GROUP/VERSION) and the aggregated one
 * (apidiscovery.k8s.io/v2) that kubectl asks for first.
 */
import type { JsonObject } from './json.ts';
import { apiVersionOf, type ServedResource } from './resource/served-resource.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const STATUS_VERBS = ['get', 'patch', 'update'];

/** The resources of one group, by version, the preferred version first. */
export interface ServedGroup {
  readonly name: string;
  readonly versions: readonly { readonly version: string; readonly resources: readonly ServedResource[] }[];
}

/** Groups resources; a group's versions keep the order in which they come. */
export function groupResources(resources: Iterable<ServedResource>): ServedGroup[] {
  const groups = new Map<string, Map<string, ServedResource[]>>();
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, ServedResource[]>();
    groups.set(resource.group, versions);
    versions.set(resource.version, [...(versions.get(resource.version) ?? []), resource]);
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions].map(([version, list]) => ({ version, resources: list })),
  }));
}

/** The APIVersions document of /api. */
export const apiVersions = (): JsonObject => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
});

const groupVersion = (group: string, version: string): JsonObject => ({
  groupVersion: apiVersionOf({ group, version }),
  version,
});

const groupDocument = (group: ServedGroup): JsonObject => ({
  name: group.name,
  versions: group.versions.map(({ version }) => groupVersion(group.name, version)),
  preferredVersion: groupVersion(group.name, group.versions[0]?.version ?? ''),
});

/** The APIGroup document of /apis/GROUP. */
export const apiGroup = (group: ServedGroup): JsonObject => ({
  kind: 'APIGroup',
  apiVersion: 'v1',
  ...groupDocument(group),
});

/** The APIGroupList document of /apis. */
export const apiGroupList = (groups: readonly ServedGroup[]): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groups.filter((group) => group.name !== '').map(groupDocument),
});

function plainEntries(resource: ServedResource): JsonObject[] {
  const shared = { namespaced: resource.namespaced, kind: resource.kind };
  const main = {
    name: resource.plural,
    singularName: resource.singular,
    ...shared,
    verbs: VERBS,
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
  };
  if (!resource.hasStatus) return [main];
  return [main, { name: `${resource.plural}/status`, singularName: '', ...shared, verbs: STATUS_VERBS }];
}

/** The APIResourceList document of one group and version. */
export const apiResourceList = (
  groupVersionText: string,
  resources: readonly ServedResource[],
): JsonObject => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: groupVersionText,
  resources: resources.flatMap(plainEntries),
});

function aggregatedEntry(resource: ServedResource): JsonObject {
  const responseKind = { group: resource.group, version: resource.version, kind: resource.kind };
  return {
    resource: resource.plural,
    responseKind,
    scope: resource.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: VERBS,
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(resource.hasStatus && {
      subresources: [{ subresource: 'status', responseKind, verbs: STATUS_VERBS }],
    }),
  };
}

/** The aggregated document; /api holds the core group alone, /apis all others. */
export const aggregatedDiscovery = (groups: readonly ServedGroup[]): JsonObject => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: groups.map((group) => ({
    metadata: { name: group.name, creationTimestamp: null },
    versions: group.versions.map(({ version, resources }) => ({
      version,
      resources: resources.map(aggregatedEntry),
      freshness: 'Current',
    })),
  })),
});
