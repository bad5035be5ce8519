/**
 * What is written into the API server of a policy: an Event for each thing that is wrong with it, and a condition where its kind has them.
 * Nothing in them is of one node, so that all nodes write the same, and the first to write is the only one.
 */
import { hash } from 'node:crypto';
import { formatTime } from '#base/rfc3339.ts';
import type { ObjectProblem } from '#core/policy/index.ts';
import type { KubeObject } from '#core/store/index.ts';

/** What is wrong with a policy, or worth a word. */
export type Finding = Pick<ObjectProblem, 'path' | 'message' | 'isUsed'>;

/** metav1.Condition. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

/** Of one object no more are told; the first ones name what is to be mended. */
const MAX_EVENTS = 8;
const MAX_EVENT_CHARS = 1000;
const MAX_CONDITION_CHARS = 8000;
/** An object of the whole cluster has its Events there. */
const CLUSTER_NAMESPACE = 'default';
const ACCEPTED = 'Accepted';

/** The Events about an object, problems before warnings. They are the same whoever makes them, but for the times. */
export function eventsOf(object: KubeObject, findings: readonly Finding[], nowMs: number): KubeObject[] {
  const order = findings.toSorted((a, b) => Number(a.isUsed) - Number(b.isUsed));
  return order.slice(0, MAX_EVENTS).map((finding) => eventOf(object, finding, nowMs));
}

function eventOf({ apiVersion, kind, metadata }: KubeObject, finding: Finding, nowMs: number): KubeObject {
  const { name, namespace, uid } = metadata;
  const reason = finding.isUsed ? 'PolicyWarning' : 'InvalidPolicy';
  const consequence = finding.isUsed
    ? ''
    : '; the policy is not used, and what it said before stays in force';
  const message = `${finding.path}: ${finding.message}`.slice(0, MAX_EVENT_CHARS) + consequence;
  const digest = hash('sha1', JSON.stringify([uid, reason, message])).slice(0, 20);
  const time = formatTime(Math.floor(nowMs / 1000), 0, 0);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      // A part of a name ends with a letter or a digit.
      name: `${name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${digest}`,
      namespace: namespace ?? CLUSTER_NAMESPACE,
    },
    involvedObject: {
      apiVersion,
      kind,
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    },
    type: 'Warning',
    reason,
    message,
    source: { component: 'poplin' },
    reportingComponent: 'poplin.dev/agent',
    reportingInstance: '',
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

/** Whether a policy is used: the conditions of its object, with that one among them; undefined if they say so already. */
export function conditionsOf(
  object: KubeObject,
  findings: readonly Finding[],
  nowMs: number,
): readonly unknown[] | undefined {
  const before = conditionsIn(object);
  const found = before.find(({ type }) => type === ACCEPTED);
  const wanted = acceptance(findings, object.metadata.generation ?? 0);
  if (found !== undefined && Object.entries(wanted).every(([key, value]) => found[key] === value))
    return undefined;
  const isSame = found?.['status'] === wanted.status && typeof found['lastTransitionTime'] === 'string';
  const condition: Condition = {
    ...wanted,
    lastTransitionTime: isSame
      ? (found['lastTransitionTime'] as string)
      : formatTime(Math.floor(nowMs / 1000), 0, 0),
  };
  return [...before.filter(({ type }) => type !== ACCEPTED), condition];
}

function acceptance(
  findings: readonly Finding[],
  observedGeneration: number,
): Omit<Condition, 'lastTransitionTime'> {
  const problems = findings.filter(({ isUsed }) => !isUsed);
  const told = problems.length > 0 ? problems : findings;
  const text = told.map(({ path, message }) => `${path}: ${message}`).join('; ');
  const base = { type: ACCEPTED, observedGeneration };
  if (problems.length > 0)
    return { ...base, status: 'False', reason: 'Invalid', message: text.slice(0, MAX_CONDITION_CHARS) };
  if (told.length > 0)
    return { ...base, status: 'True', reason: 'Warnings', message: text.slice(0, MAX_CONDITION_CHARS) };
  return { ...base, status: 'True', reason: 'Valid', message: 'every part of the policy is used' };
}

function conditionsIn(object: KubeObject): readonly Readonly<Record<string, unknown>>[] {
  const status = object['status'] as { readonly conditions?: unknown } | null | undefined;
  const conditions = status?.conditions;
  return Array.isArray(conditions)
    ? conditions.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null)
    : [];
}
