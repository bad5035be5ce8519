/** BGPConfiguration: the one called `default`, and `node.NAME` for one node, whose keys count more where a node may have its own. */
import type { KubeObject } from '#core/store/index.ts';
import { type Finding, type Findings, readValue } from './reader.ts';
import { CONFIGURATION, type Configuration } from './schemas.ts';

const EMPTY: Configuration = CONFIGURATION.parse({});
/** Keys of the whole cluster; in a node's object they are told and ignored. */
const GLOBAL = [
  'nodeToNodeMeshEnabled',
  'asNumber',
  'nodeMeshPassword',
  'nodeMeshMaxRestartTime',
  'serviceClusterIPs',
  'serviceExternalIPs',
  'serviceLoadBalancerIPs',
  'serviceLoadBalancerAggregation',
  'programClusterRoutes',
] as const satisfies readonly (keyof Configuration)[];

/** What counts for a node. */
export function readConfiguration(
  objects: readonly KubeObject[],
  node: string,
  findings: Findings,
): Configuration {
  let common = EMPTY;
  let own: Partial<Configuration> = {};
  for (const object of objects) {
    const { name } = object.metadata;
    const isOwn = name === `node.${node}`;
    if (name !== 'default' && !isOwn) {
      if (!name.startsWith('node.')) findings.warnings.push(ignored(name));
      continue;
    }
    const place = `BGPConfiguration ${name} spec`;
    const value = readValue(CONFIGURATION, object['spec'], place, findings);
    if (value === undefined) continue;
    if (isOwn) own = ownKeys(value, object['spec'], place, findings);
    else common = value;
  }
  if (common.nodeToNodeMeshEnabled === false) {
    const message = 'is of no use while nodeToNodeMeshEnabled is false';
    for (const key of ['nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const)
      if (common[key] !== undefined)
        findings.warnings.push({ place: `BGPConfiguration default spec.${key}`, message });
  }
  return { ...common, ...own };
}

function ignored(name: string): Finding {
  return { place: `BGPConfiguration ${name}`, message: 'is neither default nor node.NAME: ignored' };
}

function ownKeys(
  value: Configuration,
  spec: unknown,
  place: string,
  findings: Findings,
): Partial<Configuration> {
  const given = new Set(Object.keys(spec ?? {}));
  for (const key of GLOBAL)
    if (given.has(key))
      findings.warnings.push({ place: `${place}.${key}`, message: 'is of the whole cluster: ignored here' });
  const isOwn = (key: string): boolean => given.has(key) && !GLOBAL.some((each) => each === key);
  return Object.fromEntries(Object.entries(value).filter(([key]) => isOwn(key)));
}
