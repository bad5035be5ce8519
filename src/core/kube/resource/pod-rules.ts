/** Rules of pods: defaults people rely on, and checks a schema cannot say. */
import { parseIp } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { duplicate, forbiddenField, invalidValue, notFound, notSupported, required } from '../field-cause.ts';
import { arrayOr, equalJson, isObject, type JsonObject, objectOr } from '../json.ts';
import { labelNameProblem } from '../names.ts';
import type { StatusCause } from '../status.ts';
import type { ResourceRules } from './served-resource.ts';

const specOf = (object: KubeObject): JsonObject => objectOr(object['spec']);
const containersOf = (spec: JsonObject, field: string): JsonObject[] => arrayOr(spec[field]).filter(isObject);

function fillContainer(container: JsonObject): void {
  container['terminationMessagePath'] ??= '/dev/termination-log';
  container['terminationMessagePolicy'] ??= 'File';
  container['resources'] ??= {};
  const image = typeof container['image'] === 'string' ? container['image'] : '';
  const isLatest = !image.includes('@') && (image.endsWith(':latest') || !/:[^/]+$/.test(image));
  container['imagePullPolicy'] ??= isLatest ? 'Always' : 'IfNotPresent';
  for (const port of containersOf(container, 'ports')) port['protocol'] ??= 'TCP';
}

/** The defaults of a pod's spec, also of one in a template. */
export function fillPodSpec(spec: JsonObject): void {
  spec['restartPolicy'] ??= 'Always';
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['schedulerName'] ??= 'default-scheduler';
  spec['enableServiceLinks'] ??= true;
  spec['securityContext'] ??= {};
  for (const field of ['containers', 'initContainers']) {
    for (const container of containersOf(spec, field)) fillContainer(container);
  }
}

function fillIn(pod: KubeObject): void {
  if (!isObject(pod['spec'])) return;
  fillPodSpec(pod['spec']);
  if (!isObject(pod['status'])) pod['status'] = {};
  const status = objectOr(pod['status']);
  status['phase'] ??= 'Pending';
}

function containerCauses(spec: JsonObject, at: string, field: string, seen: Set<unknown>): StatusCause[] {
  const volumes = new Set(containersOf(spec, 'volumes').map((volume) => volume['name']));
  return containersOf(spec, field).flatMap((container, index) => {
    const path = `${at}.${field}[${index}]`;
    const name = container['name'];
    const causes: StatusCause[] = [];
    if (typeof name === 'string') {
      const problem = labelNameProblem(name);
      if (name === '') causes.push(required(`${path}.name`));
      else if (problem !== undefined) causes.push(invalidValue(`${path}.name`, name, problem));
      if (seen.has(name)) causes.push(duplicate(`${path}.name`, name));
      seen.add(name);
    }
    if ((container['image'] ?? '') === '') causes.push(required(`${path}.image`));
    return [...causes, ...portCauses(container, path), ...mountCauses(container, path, volumes)];
  });
}

function portCauses(container: JsonObject, path: string): StatusCause[] {
  return containersOf(container, 'ports').flatMap((port, at) =>
    ['containerPort', 'hostPort'].flatMap((key) => {
      const value = port[key];
      const isRight =
        typeof value !== 'number' || (value >= 1 && value <= 65_535) || (key === 'hostPort' && value === 0);
      return isRight
        ? []
        : [invalidValue(`${path}.ports[${at}].${key}`, value, 'must be between 1 and 65535, inclusive')];
    }),
  );
}

function mountCauses(container: JsonObject, path: string, volumes: ReadonlySet<unknown>): StatusCause[] {
  const seen = new Set<unknown>();
  return containersOf(container, 'volumeMounts').flatMap((mount, at) => {
    const field = `${path}.volumeMounts[${at}]`;
    const causes = volumes.has(mount['name']) ? [] : [notFound(`${field}.name`, mount['name'])];
    if (seen.has(mount['mountPath'])) {
      causes.push(invalidValue(`${field}.mountPath`, mount['mountPath'], 'must be unique'));
    }
    seen.add(mount['mountPath']);
    return causes;
  });
}

/** What is wrong with a pod's spec; `at` is where it lies: `spec`, `spec.template.spec`. */
export function podSpecCauses(spec: JsonObject, at: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const seen = new Set<unknown>();
  if (Array.isArray(spec['containers']) && spec['containers'].length === 0) {
    causes.push(required(`${at}.containers`));
  }
  causes.push(
    ...containerCauses(spec, at, 'containers', seen),
    ...containerCauses(spec, at, 'initContainers', seen),
  );
  const volumes = new Set<unknown>();
  for (const [index, volume] of containersOf(spec, 'volumes').entries()) {
    if (volumes.has(volume['name'])) causes.push(duplicate(`${at}.volumes[${index}].name`, volume['name']));
    volumes.add(volume['name']);
  }
  return causes;
}

function check(pod: KubeObject): StatusCause[] {
  if (!isObject(pod['spec'])) return [required('spec')];
  const causes = podSpecCauses(specOf(pod), 'spec');
  for (const [index, entry] of containersOf(objectOr(pod['status']), 'podIPs').entries()) {
    const ip = entry['ip'];
    if (typeof ip === 'string' && parseIp(ip) === undefined) {
      causes.push(invalidValue(`status.podIPs[${index}].ip`, ip, 'must be a valid IP address'));
    }
  }
  return causes;
}

/** Fields of a pod's spec that may change after creation. */
const MUTABLE = new Set([
  'containers',
  'initContainers',
  'ephemeralContainers',
  'activeDeadlineSeconds',
  'tolerations',
  'terminationGracePeriodSeconds',
  'schedulingGates',
  'resources',
]);

const withoutImage = (list: unknown): unknown =>
  arrayOr(list)
    .filter(isObject)
    .map(({ image: _image, resources: _resources, imagePullPolicy: _policy, ...rest }) => rest);

function checkUpdate(pod: KubeObject, current: KubeObject): StatusCause[] {
  const [now, before] = [specOf(pod), specOf(current)];
  const changed = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => {
    if (key === 'containers' || key === 'initContainers') {
      return !equalJson(withoutImage(now[key]), withoutImage(before[key]));
    }
    // a pod is bound to its node once
    if (key === 'nodeName' && (before[key] ?? '') === '') return false;
    return !MUTABLE.has(key) && !equalJson(now[key], before[key]);
  });
  return changed.map((key) =>
    forbiddenField(
      `spec.${key}`,
      'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations`, `spec.terminationGracePeriodSeconds` and an empty `spec.nodeName`',
    ),
  );
}

export const POD_RULES: ResourceRules = { fillIn, check, checkUpdate };

/** Checks that a label selector's expressions carry values where their operator needs them. */
export function labelSelectorCauses(selector: unknown, path: string): StatusCause[] {
  return arrayOr(objectOr(selector)['matchExpressions'])
    .filter(isObject)
    .flatMap((expression, index) => {
      const field = `${path}.matchExpressions[${index}].values`;
      const count = arrayOr(expression['values']).length;
      const operator = expression['operator'];
      if ((operator === 'In' || operator === 'NotIn') && count === 0) {
        return [required(field, 'must be specified when `operator` is `In` or `NotIn`')];
      }
      if ((operator === 'Exists' || operator === 'DoesNotExist') && count > 0) {
        return [forbiddenField(field, 'may not be specified when `operator` is `Exists` or `DoesNotExist`')];
      }
      return operator === undefined
        ? [
            notSupported(`${path}.matchExpressions[${index}].operator`, '', [
              'In',
              'NotIn',
              'Exists',
              'DoesNotExist',
            ]),
          ]
        : [];
    });
}
