/**
 * Does an object of the kernel satisfy the one that is wanted? Comments of tables, chains and sets, which the kernel takes on
 * creation only, and counter values are not compared; an absent policy, size or comment is no opinion. What an object means to
 * packets is compared in full: in rules and in the type of a set an absent field is its default.
 */
import type { NftExpression } from './expression.ts';
import type { NftChain, NftElement, NftObject, NftRule, NftSet } from './objects.ts';

/** Whether nothing has to be done to make `actual` what `desired` says. */
export function equalNftObject(desired: NftObject, actual: NftObject): boolean {
  switch (desired.kind) {
    case 'nft-table':
      return actual.kind === 'nft-table' && (desired.dormant ?? false) === (actual.dormant ?? false);
    case 'nft-chain':
      return actual.kind === 'nft-chain' && equalChains(desired, actual);
    case 'nft-set':
      return (
        actual.kind === 'nft-set' && sameSetLayout(desired, actual) && satisfied(desired.size, actual.size)
      );
    case 'nft-element':
      return actual.kind === 'nft-element' && equalElements(desired, actual);
  }
}

/** True if the chains hang on the same hook in the same way (their policies apart) or both on none. */
export function sameHook(a: NftChain, b: NftChain): boolean {
  if (a.hook === undefined || b.hook === undefined) return a.hook === b.hook;
  return (
    a.hook.hook === b.hook.hook &&
    a.hook.priority === b.hook.priority &&
    a.hook.type === b.hook.type &&
    sameData([...(a.hook.devices ?? [])].sort(), [...(b.hook.devices ?? [])].sort())
  );
}

/** True if the rule lists say the same. */
export function equalRules(desired: readonly NftRule[], actual: readonly NftRule[]): boolean {
  return (
    desired.length === actual.length &&
    desired.every((rule, index) => equalRule(rule, actual[index] as NftRule))
  );
}

function equalChains(desired: NftChain, actual: NftChain): boolean {
  return (
    sameHook(desired, actual) &&
    satisfied(desired.hook?.policy, actual.hook?.policy) &&
    equalRules(desired.rules, actual.rules)
  );
}

function equalRule(desired: NftRule, actual: NftRule): boolean {
  return (
    satisfied(desired.comment, actual.comment) &&
    desired.expressions.length === actual.expressions.length &&
    desired.expressions.every((expression, index) =>
      equalExpression(expression, actual.expressions[index] as NftExpression),
    )
  );
}

function equalExpression(desired: NftExpression, actual: NftExpression): boolean {
  if (desired === actual) return true;
  if (desired.op !== actual.op) return false;
  if (desired.op === 'counter') return true;
  if (desired.op === 'limit' && desired.burst === undefined) {
    const { burst: _kernelDefault, ...rest } = actual as typeof desired;
    return sameData(desired, rest);
  }
  if (desired.op === 'dynset') {
    const { expressions: wanted = [], ...left } = desired;
    const { expressions: found = [], ...right } = actual as typeof desired;
    return sameData(left, right) && equalRules([{ expressions: wanted }], [{ expressions: found }]);
  }
  return sameData(desired, actual);
}

function equalElements(desired: NftElement, actual: NftElement): boolean {
  return (
    sameData(desired.key, actual.key) &&
    sameData(desired.keyEnd ?? desired.key, actual.keyEnd ?? actual.key) &&
    sameData(desired.data, actual.data) &&
    satisfied(desired.timeoutMs, actual.timeoutMs) &&
    satisfied(desired.comment, actual.comment)
  );
}

/** True if one can take the other's place without being made anew: types, flags and default timeout are the same. */
export function sameSetLayout(a: NftSet, b: NftSet): boolean {
  const layout = (set: NftSet) => [
    set.keyType,
    set.dataType,
    set.interval ?? false,
    set.dynamic ?? false,
    set.constant ?? false,
    set.timeoutMs ?? 0,
    (set.timeouts ?? false) || set.timeoutMs !== undefined,
  ];
  return sameData(layout(a), layout(b));
}

function satisfied<T>(wish: T | undefined, found: T | undefined): boolean {
  return wish === undefined || wish === found;
}

/** Deep equality of plain data; undefined, false and empty lists count as absent. */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isAbsent(a) || isAbsent(b)) return isAbsent(a) && isAbsent(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => sameData(item, b[index]))
    );
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  return (
    Object.keys(left).every((name) => sameData(left[name], right[name])) &&
    Object.keys(right).every((name) => name in left || isAbsent(right[name]))
  );
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === false || (Array.isArray(value) && value.length === 0);
}
