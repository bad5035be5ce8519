/** Rules of roles and their bindings. They are kept, not enforced: who has the server's token may do everything. */
import type { KubeObject } from '#core/store/index.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../field-cause.ts';
import { arrayOr, equalJson, isObject, type JsonObject, objectOr } from '../json.ts';
import type { StatusCause } from '../status.ts';
import type { ResourceRules } from './served-resource.ts';

const GROUP = 'rbac.authorization.k8s.io';

/** Names of roles are segments of a path: `system:node` is one. */
const pathSegmentProblem = (name: string): string | undefined =>
  name === '.' || name === '..' || /[/%]/.test(name)
    ? "may not be '.' or '..' and may not contain '/' or '%'"
    : undefined;

function ruleCauses(rule: JsonObject, path: string, isCluster: boolean): StatusCause[] {
  const list = (field: string) => arrayOr(rule[field]);
  const causes: StatusCause[] = [];
  if (list('verbs').length === 0)
    causes.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (list('nonResourceURLs').length > 0) {
    if (!isCluster) {
      causes.push(
        invalidValue(
          `${path}.nonResourceURLs`,
          rule['nonResourceURLs'],
          'namespaced rules cannot apply to non-resource URLs',
        ),
      );
    }
    if (list('apiGroups').length > 0 || list('resources').length > 0) {
      causes.push(
        invalidValue(
          `${path}.nonResourceURLs`,
          rule['nonResourceURLs'],
          'rules cannot apply to both regular resources and non-resource URLs',
        ),
      );
    }
    return causes;
  }
  if (list('apiGroups').length === 0) {
    causes.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  }
  if (list('resources').length === 0) {
    causes.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  }
  return causes;
}

export const ROLE_RULES: ResourceRules = {
  nameProblem: pathSegmentProblem,
  check: (role) =>
    arrayOr(role['rules'])
      .filter(isObject)
      .flatMap((rule, index) => ruleCauses(rule, `rules[${index}]`, role.kind === 'ClusterRole')),
};

function subjectCauses(subject: JsonObject, path: string): StatusCause[] {
  const isAccount = subject['kind'] === 'ServiceAccount';
  const group = isAccount ? '' : GROUP;
  return [
    ...((subject['name'] ?? '') === '' ? [required(`${path}.name`)] : []),
    ...(isAccount && (subject['namespace'] ?? '') === '' ? [required(`${path}.namespace`)] : []),
    ...((subject['apiGroup'] ?? '') === group
      ? []
      : [notSupported(`${path}.apiGroup`, subject['apiGroup'], [group])]),
  ];
}

function checkBinding(binding: KubeObject): StatusCause[] {
  const reference = objectOr(binding['roleRef']);
  const kinds = binding.kind === 'ClusterRoleBinding' ? ['ClusterRole'] : ['Role', 'ClusterRole'];
  const causes: StatusCause[] = [];
  if (reference['apiGroup'] !== GROUP) {
    causes.push(notSupported('roleRef.apiGroup', reference['apiGroup'], [GROUP]));
  }
  if (!kinds.includes(String(reference['kind']))) {
    causes.push(notSupported('roleRef.kind', reference['kind'], kinds));
  }
  if ((reference['name'] ?? '') === '') causes.push(required('roleRef.name'));
  return [
    ...causes,
    ...arrayOr(binding['subjects'])
      .filter(isObject)
      .flatMap((subject, index) => subjectCauses(subject, `subjects[${index}]`)),
  ];
}

export const BINDING_RULES: ResourceRules = {
  nameProblem: pathSegmentProblem,
  fillIn(binding) {
    const reference = objectOr(binding['roleRef']);
    if (isObject(binding['roleRef']) && (reference['apiGroup'] ?? '') === '') reference['apiGroup'] = GROUP;
    for (const subject of arrayOr(binding['subjects']).filter(isObject)) {
      // A service account is of the core group, which an API server leaves out.
      if (subject['kind'] !== 'ServiceAccount') subject['apiGroup'] ??= GROUP;
      else if (subject['apiGroup'] === '') delete subject['apiGroup'];
    }
  },
  check: checkBinding,
  checkUpdate: (binding, current) =>
    equalJson(binding['roleRef'], current['roleRef'])
      ? []
      : [forbiddenField('roleRef', 'cannot change roleRef')],
};
