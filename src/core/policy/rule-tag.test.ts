import { expect, test } from 'vitest';
import type { PolicyRef } from './model.ts';
import { parseRuleTag, ruleTag, subjectDigest, type TagSubject } from './rule-tag.ts';

const web: PolicyRef = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' };
const subjects: readonly TagSubject[] = [
  { by: 'rule', policy: web, path: 'ingress[0].from[1]' },
  { by: 'rule', policy: web, path: 'ingress[0].from[0]' },
  { by: 'rule', policy: { ...web, kind: 'CalicoNetworkPolicy' }, path: 'ingress[0].from[1]' },
  { by: 'tier-default', tier: 'default' },
  { by: 'unknown-pod' },
];

test('a tag says direction, action and subject, and is read back', () => {
  for (const subject of subjects) {
    for (const direction of ['ingress', 'egress'] as const) {
      for (const action of ['allow', 'deny', 'pass', 'log'] as const) {
        const tag = ruleTag(direction, action, subject);
        expect(parseRuleTag(tag)).toEqual({ direction, action, digest: subjectDigest(subject) });
        expect(tag.length).toBeLessThan(128);
      }
    }
  }
});

test('no two subjects have one digest', () => {
  expect(new Set(subjects.map(subjectDigest)).size).toBe(subjects.length);
});

test('prefixes of others are none of ours', () => {
  for (const text of [
    '',
    'poplin:',
    'poplin:xA0123456789abcdef',
    'poplin:iA0123',
    'poplin:iZ0123456789abcdef',
  ])
    expect(parseRuleTag(text)).toBeUndefined();
});
