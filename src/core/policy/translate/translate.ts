/** From an object of an API to what the engine knows. Nothing is remembered here: an object means the same whatever came before it. */
import type { KubeObject } from '#core/store/index.ts';
import type { PolicyRef } from '../model.ts';
import { asWritten } from './calico-stored.ts';
import { type DocumentProblem, Fields, type Findings } from './document.ts';
import type { Fact } from './fact.ts';
import { groupOf, type Kind, kindOf } from './kinds.ts';

export interface Translated {
  /** Absent where there is a problem, or the object says nothing to policies. */
  readonly fact?: Fact;
  /** Which policy the object is, whether it can be read or not. */
  readonly ref?: PolicyRef;
  readonly problems: readonly DocumentProblem[];
  readonly warnings: readonly DocumentProblem[];
}

/** Objects never change: each that somebody wrote is read once, however many ask. */
const written = new WeakMap<KubeObject, Translated>();

/** Never throws, whatever the object is like. An object of a kind without a row gives nothing at all. */
export function translate(object: KubeObject): Translated {
  const known = written.get(object);
  if (known !== undefined) return known;
  const findings: Findings = { problems: [], warnings: [] };
  const kind = kindOf(object);
  if (kind === undefined || !hasSoundMetadata(object, kind, findings)) return { ...findings };
  if (kind.isWritten) checkKeys(object, findings);
  const isStored = groupOf(object.apiVersion) === 'crd.projectcalico.org';
  const fact = kind.read(isStored ? asWritten(object, findings) : object, findings);
  const ref = fact?.is === 'policy' || fact?.is === 'profile' ? { ref: fact.policy.ref } : {};
  const translated = { ...(findings.problems.length === 0 && fact && { fact }), ...ref, ...findings };
  if (kind.isWritten) written.set(object, translated);
  return translated;
}

/** Without a name nothing can be said of an object, and without a namespace nothing of what lies in one. */
function hasSoundMetadata(object: KubeObject, { isNamespaced }: Kind, findings: Findings): boolean {
  const metadata = new Fields(object.metadata, 'metadata', findings);
  metadata.required('name', metadata.text('name'));
  const namespace = metadata.text('namespace');
  if (isNamespaced) metadata.required('namespace', namespace);
  metadata.map('labels');
  return findings.problems.length === 0;
}

function checkKeys(object: KubeObject, findings: Findings): void {
  const document = new Fields(object, '', findings);
  for (const key of ['apiVersion', 'kind', 'metadata', 'spec', 'status']) document.has(key);
  document.warnOfOthers();
}
