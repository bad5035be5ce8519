/**
 * What a packet that a rule decided on bears through nflog: a prefix that names direction, verdict and rule. It is made from the policy's
 * identity alone, so that whoever knows the policies can tell which one it was, in another process and after a restart.
 */
import { digestHex } from '#base/hash.ts';
import { type Direction, type PolicyRef, type RuleAction, refText } from './model.ts';

/** NFLOG group of policy's own messages (16 bits). */
export const POLICY_LOG_GROUP = 112;
/** Of the answers of DNS servers to pods, while a policy speaks of names. */
export const POLICY_DNS_GROUP = 113;

/** What a tag is of: a rule, what a tier does where none of its rules decided, or a pod that is not known yet. */
export type TagSubject =
  | { readonly by: 'rule'; readonly policy: PolicyRef; readonly path: string }
  | { readonly by: 'tier-default'; readonly tier: string }
  | { readonly by: 'unknown-pod' };

export interface TagParts {
  readonly direction: Direction;
  readonly action: RuleAction;
  /** 16 hexadecimal digits, by subjectDigest. */
  readonly digest: string;
}

const ACTIONS = { allow: 'A', deny: 'D', pass: 'P', log: 'L' } as const satisfies Record<RuleAction, string>;
const TAG = /^poplin:([ie])([ADPL])([0-9a-f]{16})$/;

/** `poplin:iA0123456789abcdef`: at most 127 bytes, as nf_tables has it for a log prefix. */
export function ruleTag(direction: Direction, action: RuleAction, subject: TagSubject): string {
  return `poplin:${direction === 'ingress' ? 'i' : 'e'}${ACTIONS[action]}${subjectDigest(subject)}`;
}

/** The parts of a prefix; undefined if it is not one of ours. */
export function parseRuleTag(text: string): TagParts | undefined {
  const [, direction, letter, digest] = TAG.exec(text) ?? [];
  if (digest === undefined) return undefined;
  const action = (Object.keys(ACTIONS) as RuleAction[]).find((each) => ACTIONS[each] === letter);
  if (action === undefined) return undefined;
  return { direction: direction === 'i' ? 'ingress' : 'egress', action, digest };
}

/** By this a tag finds its subject again. */
export function subjectDigest(subject: TagSubject): string {
  switch (subject.by) {
    case 'rule':
      return digestHex(`rule ${refText(subject.policy)} ${subject.path}`, 16);
    case 'tier-default':
      return digestHex(`tier ${subject.tier}`, 16);
    case 'unknown-pod':
      return digestHex('unknown pod', 16);
  }
}
