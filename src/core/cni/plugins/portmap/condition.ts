/**
 * Conditions under which a port is mapped, as operators write them for the reference plugin: words of iptables (`! -d 192.0.2.0/24`) or
 * of nft (`ip daddr != 192.0.2.0/24`). What is understood becomes a match; anything else is refused, since a port that is open to more
 * than was meant is worse than one that is not.
 */
import { familyOf, type IpFamily, networkOf, parsePrefix } from '#base/ip/index.ts';
import { field, match, type RulePart } from '#core/nft/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { cniIp } from '../../spec/fields.ts';

export interface Condition {
  readonly of: 'saddr' | 'daddr' | 'iifname';
  readonly inverted: boolean;
  /** A prefix, or a link's name, with `*` at its end for all that begin so. */
  readonly value: string;
}

const IPTABLES: Readonly<Record<string, Condition['of']>> = {
  '-s': 'saddr',
  '--source': 'saddr',
  '--src': 'saddr',
  '-d': 'daddr',
  '--destination': 'daddr',
  '--dst': 'daddr',
  '-i': 'iifname',
  '--in-interface': 'iifname',
};

/** Throws CniError 2 that names the key and the words. */
export function parseConditions(words: readonly string[], key: string, family: IpFamily): Condition[] {
  const left = words.flatMap((word) => word.split(/\s+/)).filter((word) => word !== '');
  const found: Condition[] = [];
  while (left.length > 0) {
    const condition = takeIptables(left, family) ?? takeNft(left, family);
    if (condition === undefined) {
      throw new CniError(
        CNI_ERROR.unsupportedField,
        `unsupported field "${key}": ${JSON.stringify(words)}`,
        `"${left.join(' ')}" is not understood: [!] -s PREFIX, [!] -d PREFIX and [!] -i LINK are, and their like in nft's words`,
      );
    }
    found.push(condition);
  }
  return found;
}

/** The condition as part of a rule. */
export function matchOf({ of, inverted, value }: Condition, family: IpFamily): RulePart {
  const what = of === 'iifname' ? field.iifname : of === 'saddr' ? field.saddr(family) : field.daddr(family);
  return inverted ? match.not(what, value) : match.is(what, value);
}

function takeIptables(left: string[], family: IpFamily): Condition | undefined {
  const isBefore = left[0] === '!';
  const of = IPTABLES[left[isBefore ? 1 : 0] ?? ''];
  if (of === undefined) return undefined;
  // The old spelling has the negation behind the option.
  const isBehind = !isBefore && left[1] === '!';
  const at = isBefore || isBehind ? 2 : 1;
  const value = valueOf(of, left[at]?.replace(/\+$/, '*'), family);
  if (value === undefined) return undefined;
  left.splice(0, at + 1);
  return { of, inverted: isBefore || isBehind, value };
}

function takeNft(left: string[], family: IpFamily): Condition | undefined {
  const isAddress = left[0] === (family === 4 ? 'ip' : 'ip6');
  const [name, ...rest] = isAddress ? left.slice(1) : left;
  const of = isAddress ? name : name === 'iifname' ? name : undefined;
  if (of !== 'saddr' && of !== 'daddr' && of !== 'iifname') return undefined;
  const operator = rest[0] === '!=' || rest[0] === '==' ? 1 : 0;
  const value = valueOf(of, rest[operator]?.replaceAll('"', ''), family);
  if (value === undefined) return undefined;
  left.splice(0, (isAddress ? 2 : 1) + operator + 1);
  return { of, inverted: rest[0] === '!=', value };
}

function valueOf(of: Condition['of'], word: string | undefined, family: IpFamily): string | undefined {
  if (word === undefined) return undefined;
  if (of === 'iifname') return /^[^\s/:*]{1,15}\*?$/.test(word) ? word : undefined;
  const address = cniIp(word);
  const prefix = address === undefined ? word : `${address}/${familyOf(address) === 4 ? 32 : 128}`;
  return parsePrefix(prefix) !== undefined && familyOf(prefix) === family ? networkOf(prefix) : undefined;
}
