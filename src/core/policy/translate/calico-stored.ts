/**
 * Objects as Calico keeps them in the API server, crd.projectcalico.org/v1: the same specs, but what is in the metadata of the
 * object itself lies in an annotation, and names of policies may have the tier's before them.
 */
import type { KubeObject } from '#core/store/index.ts';
import type { Findings } from './document.ts';

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
  readonly name?: string;
  readonly labels?: Record<string, string>;
}

function writtenMetadata(text: unknown, findings: Findings): Written {
  if (typeof text !== 'string') return {};
  try {
    const { name, labels } = (JSON.parse(text) ?? {}) as Record<string, unknown>;
    return {
      ...(typeof name === 'string' && name !== '' && { name }),
      ...(typeof labels === 'object' && labels !== null && { labels: labels as Record<string, string> }),
    };
  } catch {
    const path = `metadata.annotations["${ANNOTATION}"]`;
    findings.problems.push({ path, message: 'is no JSON: the labels of the object are not known' });
    return {};
  }
}

/** Older versions put `default.` before the names of policies of the default tier. */
function plainName({ kind, metadata: { name }, ...rest }: KubeObject): string {
  const tier = (rest['spec'] as { readonly tier?: unknown } | null | undefined)?.tier ?? 'default';
  const isPlain = !POLICIES.has(kind) || (tier !== 'default' && tier !== '');
  return isPlain || typeof name !== 'string' ? name : name.replace(/^default\./, '');
}
