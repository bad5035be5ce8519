/**
 * Objects as Calico keeps them in the API server, crd.projectcalico.org/v1: the same specs, but what is in the metadata of the
 * object itself lies in an annotation, and names of policies may have the tier's before them.
 */
import type { KubeObject } from '#core/store/index.ts';
import type { LabelMap } from '../model.ts';
import { Fields, type Findings, keyOf, shown } from './document.ts';

const ANNOTATION = 'projectcalico.org/metadata';
const POLICIES: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'StagedNetworkPolicy',
  'StagedGlobalNetworkPolicy',
]);

/** The object as projectcalico.org/v3 would show it. */
export function asWritten(object: KubeObject, findings: Findings): KubeObject {
  const { metadata } = object;
  const written = writtenMetadata(metadata.annotations?.[ANNOTATION], findings);
  return {
    ...object,
    metadata: {
      ...metadata,
      name: written.name ?? plainName(object),
      labels: { ...metadata.labels, ...written.labels },
    },
  };
}

interface Written {
  readonly name?: string | undefined;
  readonly labels?: LabelMap;
}

function writtenMetadata(text: unknown, findings: Findings): Written {
  if (typeof text !== 'string') return {};
  const path = keyOf('metadata.annotations', ANNOTATION);
  let metadata: unknown;
  try {
    metadata = JSON.parse(text) ?? {};
  } catch {
    findings.problems.push({ path, message: `${shown(text)} is no JSON` });
    return {};
  }
  const fields = new Fields(metadata, path, findings);
  return { name: fields.text('name'), labels: fields.map('labels') };
}

/** Older versions put `default.` before the names of policies of the default tier. */
function plainName({ kind, metadata: { name }, ...rest }: KubeObject): string {
  const tier = (rest['spec'] as { readonly tier?: unknown } | null | undefined)?.tier ?? 'default';
  const isPlain = !POLICIES.has(kind) || (tier !== 'default' && tier !== '');
  return isPlain || typeof name !== 'string' ? name : name.replace(/^default\./, '');
}
