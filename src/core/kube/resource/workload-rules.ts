/** Rules of DaemonSets and priority classes. Nothing here runs pods: a DaemonSet is kept, and shown as it was written. */
import type { KubeObject } from '#core/store/index.ts';
import { forbiddenField, IMMUTABLE, invalidValue, notSupported, required } from '../field-cause.ts';
import { arrayOr, equalJson, isObject, type JsonObject, objectOr, valueAt } from '../json.ts';
import { labelCauses } from '../names.ts';
import { type LabelOperator, type LabelSelector, matchesLabels } from '../selector/label.ts';
import type { StatusCause } from '../status.ts';
import { fillPodSpec, labelSelectorCauses, podSpecCauses } from './pod-rules.ts';
import type { ResourceRules } from './served-resource.ts';

const specOf = (object: KubeObject): JsonObject => objectOr(object['spec']);

function fillDaemonSet(set: KubeObject): void {
  if (!isObject(set['spec'])) return;
  const spec = set['spec'];
  spec['revisionHistoryLimit'] ??= 10;
  if (!isObject(spec['updateStrategy'])) spec['updateStrategy'] = {};
  const strategy = objectOr(spec['updateStrategy']);
  strategy['type'] ??= 'RollingUpdate';
  if (strategy['type'] === 'RollingUpdate') {
    strategy['rollingUpdate'] = { maxSurge: 0, maxUnavailable: 1, ...objectOr(strategy['rollingUpdate']) };
  }
  const podSpec = valueAt(spec, ['template', 'spec']);
  if (!isObject(podSpec)) return;
  fillPodSpec(podSpec);
  if (podSpec['hostNetwork'] !== true) return;
  // A container on the host's network has the host's ports.
  for (const field of ['containers', 'initContainers']) {
    for (const container of arrayOr(podSpec[field]).filter(isObject)) {
      for (const port of arrayOr(container['ports']).filter(isObject))
        port['hostPort'] ??= port['containerPort'];
    }
  }
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!exists',
};

/** An object's selector, which was found valid, as the requirements of a query. */
const requirementsOf = (selector: JsonObject): LabelSelector => [
  ...Object.entries(objectOr(selector['matchLabels'])).map(([key, value]) => ({
    key,
    operator: '=' as const,
    values: [String(value)],
  })),
  ...arrayOr(selector['matchExpressions'])
    .filter(isObject)
    .map((expression) => ({
      key: String(expression['key']),
      operator: OPERATORS[String(expression['operator'])] ?? 'exists',
      values: arrayOr(expression['values']).map(String),
    })),
];

function strategyCauses(strategy: JsonObject): StatusCause[] {
  const rolling = objectOr(strategy['rollingUpdate']);
  if (strategy['type'] !== 'RollingUpdate') return [];
  const path = 'spec.updateStrategy.rollingUpdate';
  const isNone = (value: unknown) => value === 0 || value === '0%';
  const causes = ['maxUnavailable', 'maxSurge'].flatMap((key) => {
    const value = rolling[key];
    if (typeof value === 'number' ? value >= 0 : /^\d+%$/.test(String(value))) return [];
    return [invalidValue(`${path}.${key}`, value, 'must be a number of pods, not below 0, or a percentage')];
  });
  if (causes.length > 0) return causes;
  if (isNone(rolling['maxUnavailable']) && isNone(rolling['maxSurge'])) {
    return [
      invalidValue(`${path}.maxUnavailable`, rolling['maxUnavailable'], 'cannot be 0 when maxSurge is 0'),
    ];
  }
  return isNone(rolling['maxUnavailable']) || isNone(rolling['maxSurge'])
    ? []
    : [
        invalidValue(
          `${path}.maxSurge`,
          rolling['maxSurge'],
          'may not be set when maxUnavailable is non-zero',
        ),
      ];
}

function checkDaemonSet(set: KubeObject): StatusCause[] {
  if (!isObject(set['spec'])) return [required('spec')];
  const spec = specOf(set);
  const selector = objectOr(spec['selector']);
  const labels = objectOr(valueAt(spec, ['template', 'metadata', 'labels']));
  const causes = [
    ...labelSelectorCauses(selector, 'spec.selector'),
    ...labelCauses('spec.template.metadata.labels', labels),
    ...strategyCauses(objectOr(spec['updateStrategy'])),
  ];
  if (causes.length > 0) return causes;
  if (Object.keys(selector).length === 0) {
    causes.push(invalidValue('spec.selector', selector, 'empty selector is invalid for daemonset'));
  } else if (!matchesLabels(requirementsOf(selector), labels)) {
    causes.push(
      invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  }
  const podSpec = valueAt(spec, ['template', 'spec']);
  if (!isObject(podSpec)) return [...causes, required('spec.template.spec')];
  causes.push(...podSpecCauses(podSpec, 'spec.template.spec'));
  if (podSpec['restartPolicy'] !== 'Always') {
    causes.push(notSupported('spec.template.spec.restartPolicy', podSpec['restartPolicy'], ['Always']));
  }
  return causes;
}

export const DAEMON_SET_RULES: ResourceRules = {
  fillIn: fillDaemonSet,
  check: checkDaemonSet,
  checkUpdate: (set, current) =>
    equalJson(specOf(set)['selector'], specOf(current)['selector'])
      ? []
      : [invalidValue('spec.selector', specOf(set)['selector'], IMMUTABLE)],
};

/** The highest value of a class that is not the system's own. */
const HIGHEST_PRIORITY = 1_000_000_000;

export const PRIORITY_CLASS_RULES: ResourceRules = {
  fillIn(object) {
    object['preemptionPolicy'] ??= 'PreemptLowerPriority';
  },
  check(object) {
    const { name } = object.metadata;
    const value = Number(object['value']);
    if (name.startsWith('system-')) {
      return [invalidValue('metadata.name', name, 'the prefix `system-` is reserved for the system')];
    }
    return value > HIGHEST_PRIORITY
      ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${HIGHEST_PRIORITY}`)]
      : [];
  },
  checkUpdate: (object, current) =>
    object['value'] === current['value'] ? [] : [forbiddenField('value', 'may not be changed in an update')],
};
