/** What rules do to the routes they match. */
import { prepended, type TableAttributes } from '../rib/index.ts';
import { formatCommunity } from './community.ts';
import type { Community, FilterOperation } from './model.ts';

/** The attributes after an operation; the same object if it changed nothing. */
export function operate(attributes: TableAttributes, operation: FilterOperation): TableAttributes {
  switch (operation.type) {
    case 'add-community':
      return withCommunity(attributes, operation.community);
    case 'remove-community':
      return withoutCommunity(attributes, operation.community);
    case 'prepend-as-path':
      return { ...attributes, asPath: prepended(attributes.asPath, ...operation.asns) };
    case 'set-priority':
      return { ...attributes, priority: operation.priority };
    case 'set-local-pref':
      return { ...attributes, localPref: operation.localPref };
    case 'set-med':
      return { ...attributes, med: operation.med };
  }
}

/** What an operation does, in words. */
export function operationText(operation: FilterOperation): string {
  switch (operation.type) {
    case 'add-community':
    case 'remove-community':
      return `${operation.type} ${formatCommunity(operation.community)}`;
    case 'prepend-as-path':
      return `prepend-as-path ${operation.asns.join(' ')}`;
    case 'set-priority':
      return `set-priority ${operation.priority}`;
    case 'set-local-pref':
      return `set-local-pref ${operation.localPref}`;
    case 'set-med':
      return `set-med ${operation.med}`;
  }
}

function withCommunity(attributes: TableAttributes, community: Community): TableAttributes {
  if (typeof community === 'number') {
    const { communities = [] } = attributes;
    return communities.includes(community)
      ? attributes
      : { ...attributes, communities: [...communities, community] };
  }
  const { largeCommunities = [] } = attributes;
  return largeCommunities.some((each) => isSame(each, community))
    ? attributes
    : { ...attributes, largeCommunities: [...largeCommunities, community] };
}

function withoutCommunity(attributes: TableAttributes, community: Community): TableAttributes {
  const { communities, largeCommunities, ...rest } = attributes;
  const isLeft = (each: Community): boolean => !isSame(each, community);
  const left = communities?.filter(isLeft) ?? [];
  const largeLeft = largeCommunities?.filter(isLeft) ?? [];
  const isUnchanged =
    left.length === (communities?.length ?? 0) && largeLeft.length === (largeCommunities?.length ?? 0);
  if (isUnchanged) return attributes;
  return {
    ...rest,
    ...(left.length > 0 ? { communities: left } : {}),
    ...(largeLeft.length > 0 ? { largeCommunities: largeLeft } : {}),
  };
}

function isSame(a: Community, b: Community): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a.every((part, at) => part === b[at]);
}
