/** The columns of `kubectl get pods`, and the status word people know from it. */
import type { KubeObject } from '#core/store/index.ts';
import { arrayOr, isObject, type JsonObject, objectOr, stringOr, valueAt } from '../json.ts';
import { ageOf } from './age.ts';
import { AGE, type Column, column, NAME, wide } from './column.ts';

const statusesOf = (pod: KubeObject, field: string): JsonObject[] =>
  arrayOr(valueAt(pod, ['status', field])).filter(isObject);

const specsOf = (pod: KubeObject, field: string): JsonObject[] =>
  arrayOr(valueAt(pod, ['spec', field])).filter(isObject);

function terminatedWord(terminated: JsonObject): string {
  const reason = stringOr(terminated['reason']);
  if (reason !== '') return reason;
  const signal = Number(terminated['signal'] ?? 0);
  return signal === 0 ? `ExitCode:${Number(terminated['exitCode'] ?? 0)}` : `Signal:${signal}`;
}

/** An init container that keeps running beside the others. */
const isSidecar = (pod: KubeObject, name: unknown): boolean =>
  specsOf(pod, 'initContainers').some((spec) => spec['name'] === name && spec['restartPolicy'] === 'Always');

/** The status word while init containers are not done, else undefined. */
function initWord(pod: KubeObject): string | undefined {
  const total = specsOf(pod, 'initContainers').length;
  for (const [index, status] of statusesOf(pod, 'initContainerStatuses').entries()) {
    const state = objectOr(status['state']);
    const terminated = state['terminated'];
    if (isObject(terminated)) {
      if (Number(terminated['exitCode'] ?? 0) === 0) continue;
      return `Init:${terminatedWord(terminated)}`;
    }
    if (isSidecar(pod, status['name']) && status['started'] === true) continue;
    const waiting = stringOr(valueAt(state, ['waiting', 'reason']));
    return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${total}`;
  }
  return undefined;
}

function containerWord(pod: KubeObject, fallback: string): string {
  let word = fallback;
  let anyRunning = false;
  for (const status of statusesOf(pod, 'containerStatuses').reverse()) {
    const state = objectOr(status['state']);
    const waiting = stringOr(valueAt(state, ['waiting', 'reason']));
    if (waiting !== '') word = waiting;
    else if (isObject(state['terminated'])) word = terminatedWord(state['terminated']);
    else if (status['ready'] === true && isObject(state['running'])) anyRunning = true;
  }
  if (word !== 'Completed' || !anyRunning) return word;
  const ready = arrayOr(valueAt(pod, ['status', 'conditions'])).some(
    (condition) => isObject(condition) && condition['type'] === 'Ready' && condition['status'] === 'True',
  );
  return ready ? 'Running' : 'NotReady';
}

/** The STATUS word: phase, or the reason of the most telling container. */
export function podStatusWord(pod: KubeObject): string {
  const status = objectOr(pod['status']);
  const phase = stringOr(status['phase'], 'Unknown');
  const reason = stringOr(status['reason']);
  if (pod.metadata.deletionTimestamp !== undefined) return reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return initWord(pod) ?? containerWord(pod, reason === '' ? phase : reason);
}

function readyCell(pod: KubeObject): string {
  const ready = statusesOf(pod, 'containerStatuses').filter(
    (status) => status['ready'] === true && isObject(objectOr(status['state'])['running']),
  ).length;
  return `${ready}/${specsOf(pod, 'containers').length}`;
}

function restartsCell(pod: KubeObject, nowMs: number): string {
  let restarts = 0;
  let last = '';
  for (const status of statusesOf(pod, 'containerStatuses')) {
    restarts += Number(status['restartCount'] ?? 0);
    const finished = stringOr(valueAt(status, ['lastState', 'terminated', 'finishedAt']));
    if (finished > last) last = finished;
  }
  return restarts === 0 || last === '' ? String(restarts) : `${restarts} (${ageOf(last, nowMs)} ago)`;
}

function ipCell(pod: KubeObject): string {
  const first = stringOr(valueAt(pod, ['status', 'podIPs', '0', 'ip']));
  return first || stringOr(valueAt(pod, ['status', 'podIP'])) || '<none>';
}

function gatesCell(pod: KubeObject): string {
  const gates = specsOf(pod, 'readinessGates');
  if (gates.length === 0) return '<none>';
  const conditions = arrayOr(valueAt(pod, ['status', 'conditions'])).filter(isObject);
  const met = gates.filter((gate) =>
    conditions.some(
      (condition) => condition['type'] === gate['conditionType'] && condition['status'] === 'True',
    ),
  );
  return `${met.length}/${gates.length}`;
}

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  column('Ready', readyCell),
  column('Status', podStatusWord),
  column('Restarts', restartsCell),
  AGE,
  wide('IP', ipCell),
  wide('Node', (pod) => stringOr(valueAt(pod, ['spec', 'nodeName'])) || '<none>'),
  wide('Nominated Node', (pod) => stringOr(valueAt(pod, ['status', 'nominatedNodeName'])) || '<none>'),
  wide('Readiness Gates', gatesCell),
];
