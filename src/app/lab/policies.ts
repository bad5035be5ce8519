/**
 * A lab's policies: read from its file and those it names, made in its API server before any agent runs, and asked what they say of each
 * pair that is probed.
 */
import { dirname, resolve } from 'node:path';
import { clusterOf, objectsOf, ofFiles, PolicyUsageError, problemLines } from '#app/policy/index.ts';
import { familyOf } from '#base/ip/index.ts';
import type { Expectation, ObjectDocument, Probe, Topology } from '#core/lab/index.ts';
import {
  apiVersionOf,
  isAllowed,
  POLICY_CONTEXT,
  POLICY_RESOURCES,
  type PolicyCluster,
  PROTOCOLS,
  policyResourceOf,
  storedResource,
} from '#core/policy/index.ts';
import {
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type ObjectStore,
  RESOURCES,
  type ResourcePath,
} from '#core/store/index.ts';
import { LabError } from './lab-error.ts';

/** As a client's ports are. */
const SOURCE_PORT = 50_000;
const DEFINITIONS: ResourcePath = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** The topology with the objects of the files that it names, relative to its own. Throws LabError for what is no policy, or cannot be used. */
export function withPolicies(topology: Topology, file: string): Topology {
  const { policies } = topology;
  if (policies === undefined) return topology;
  const where = (text: string) => `${file}: policies: ${text}`;
  const objects = readObjects(policies, file, where);
  for (const object of objects) {
    const resource = policyResourceOf(object);
    if (resource !== undefined && (resource === RESOURCES.namespaces || !POLICY_CONTEXT.has(resource)))
      continue;
    throw new LabError(
      where(
        `${object.apiVersion} ${object.kind} ${object.metadata.name} is neither a policy nor a Namespace`,
      ),
    );
  }
  const problems = clusterOf(objects)
    .problems()
    .filter(({ isUsed }) => !isUsed);
  if (problems.length > 0) throw new LabError(problemLines(problems).map(where).join('\n'));
  return { ...topology, policies: objects };
}

/** Objects as they stand in a topology's file, and of the files it names. Throws LabError. */
export function readObjects(
  documents: readonly ObjectDocument[],
  file: string,
  where: (text: string) => string,
): KubeObject[] {
  try {
    return documents.flatMap((each, index) =>
      typeof each === 'string'
        ? ofFiles([resolve(dirname(file), each)])
        : objectsOf(each, where(String(index + 1))),
    );
  } catch (error) {
    if (!(error instanceof PolicyUsageError)) throw error;
    const text = error.message.startsWith(file) ? error.message : where(error.message);
    throw new LabError(text, { cause: error });
  }
}

/** Makes namespaces, kinds and policies; to be done before an agent asks for them. */
export async function makePolicies(store: ObjectStore, { pods, policies }: Topology): Promise<void> {
  const objects = (policies ?? []) as readonly KubeObject[];
  const [spaces, others] = [
    objects.filter((object) => policyResourceOf(object) === RESOURCES.namespaces),
    objects.filter((object) => policyResourceOf(object) !== RESOURCES.namespaces),
  ];
  for (const space of spaces) await makeNamespace(store, space);
  const named = new Set(
    [...pods, ...others.map(({ metadata }) => metadata)].map(({ namespace }) => namespace),
  );
  for (const name of named)
    if (name !== undefined)
      await makeNamespace(store, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  if (policies === undefined) return;
  for (const resource of POLICY_RESOURCES) if (isCustom(resource)) await defineKind(store, resource);
  for (const object of others) {
    const resource = policyResourceOf(object);
    if (resource === undefined) continue;
    const stored = storedResource(resource);
    const place = stored !== undefined && object.apiVersion === apiVersionOf(stored) ? stored : resource;
    const { namespace } = object.metadata;
    await store.create(place, object, namespace === undefined ? {} : { namespace });
  }
}

/** One that is there keeps what it has; labels are added. */
async function makeNamespace(store: ObjectStore, object: KubeObject): Promise<void> {
  const { name, labels } = object.metadata;
  try {
    await store.create(RESOURCES.namespaces, object);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    if (labels !== undefined)
      await store.patch(RESOURCES.namespaces, name, 'merge', { metadata: { labels } });
  }
}

function isCustom({ group }: ResourcePath): boolean {
  return group === 'policy.networking.k8s.io' || group === 'projectcalico.org';
}

/** Without a schema: what is wrong in an object is for the agents to say. */
export async function defineKind(store: ObjectStore, resource: ResourcePath): Promise<void> {
  const { group, version, plural, kind, namespaced } = resource;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await store.create(DEFINITIONS, {
    apiVersion: apiVersionOf(DEFINITIONS),
    kind: DEFINITIONS.kind,
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { plural, kind },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema },
          subresources: { status: {} },
        },
      ],
    },
  });
}

/** What the API server has that says something to policies; undefined without a policy. */
export async function readPolicies(store: ObjectStore): Promise<PolicyCluster | undefined> {
  const lists = await Promise.all(
    POLICY_RESOURCES.map(async (resource) => {
      const { items } = await store.list(resource).catch((error: unknown) => {
        if (isNotFound(error)) return { items: [] };
        throw error;
      });
      return items.map((item) => ({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind }));
    }),
  );
  const cluster = clusterOf(lists.flat());
  return cluster.graph.policies.byRef.size === 0 ? undefined : cluster;
}

/** What policies say of a probe to a port: a node always reaches its own pods, and takes one of its addresses to reach others. */
export function expectationOf(
  { graph }: PolicyCluster,
  { source, target, family, address }: Probe,
  { port, nodeOf }: { readonly port: number; readonly nodeOf: (name: string) => string | undefined },
): Expectation {
  if (source.kind === 'node' && nodeOf(target.name) === source.name) return 'reached';
  const answers = new Set(
    source.own
      .filter((own) => familyOf(own) === family)
      .map((own) =>
        isAllowed(graph, {
          source: own,
          destination: address,
          protocol: PROTOCOLS.udp,
          sourcePort: SOURCE_PORT,
          destinationPort: port,
        }),
      ),
  );
  if (answers.size > 1) return 'either';
  return answers.has(true) ? 'reached' : 'denied';
}
