import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import { CalicoSelectorError, type CalicoSelectorOptions, parseCalicoSelector } from './calico.ts';
import { matchesSelector } from './match.ts';
import { selectorText } from './text.ts';

const parse = (text: string, options?: CalicoSelectorOptions): string =>
  selectorText(parseCalicoSelector(text, 'member', options));

describe('a selector of Calico', () => {
  test.each([
    ['', 'all()'],
    ['  \t', 'all()'],
    ['all()', 'all()'],
    ['all( )', 'all()'],
    ['has(a)', 'has(a)'],
    ['has( a/b.c-d_e )', 'has(a/b.c-d_e)'],
    ['a == "x"', 'a == "x"'],
    ["a=='x'", 'a == "x"'],
    [`a == 'say "x"'`, String.raw`a == "say \"x\""`],
    ['a == ""', 'a == ""'],
    ['a != "x"', 'a != "x"'],
    ['a in {"y", \'x\'}', 'a in {"x", "y"}'],
    ['a in {"x",}', 'a == "x"'],
    ['a in {}', 'none()'],
    ['a not in {"x"}', 'a != "x"'],
    ['a notin{"x"}', 'a != "x"'],
    ['a not in {}', 'all()'],
    ['a contains "x"', 'a contains "x"'],
    ['a starts with "x"', 'a starts with "x"'],
    ['a startswith"x"', 'a starts with "x"'],
    ['a ends  with "x"', 'a ends with "x"'],
    ['!has(a)', '!has(a)'],
    ['! ! !has(a)', '!has(a)'],
    ['has(a) && has(b) || has(c)', '(has(a) && has(b)) || has(c)'],
    ['has(a) && (has(b) || has(c))', 'has(a) && (has(b) || has(c))'],
    ['has(a) || has(b) || has(c)', 'has(a) || has(b) || has(c)'],
    ['!(has(a) || has(b))', '!has(a) && !has(b)'],
    ['has == "x"', 'has == "x"'],
    ['in in {"x"}', 'in == "x"'],
    ['not not in {"x"}', 'not != "x"'],
    ['all == "x" && global == "y"', 'all == "x" && global == "y"'],
    ['a == "x"\n  && b == "y"', 'a == "x" && b == "y"'],
  ])('%j is %s', (text, meaning) => {
    expect(parse(text)).toBe(meaning);
  });

  test.each([
    ['a', 2, 'an operator is expected'],
    ['a = "x"', 3, 'an operator is expected'],
    ['a == x', 6, 'a text in quotes is expected'],
    ['a == "x', 6, 'the closing quote is missing'],
    ['a == "x" b', 10, 'nothing more is expected here'],
    ['a == "x" &&', 12, 'the name of a label is expected'],
    ['a == "x" & b', 10, 'nothing more is expected here'],
    ['(a == "x"', 10, 'a closing parenthesis is expected'],
    ['has(a', 6, 'a closing parenthesis is expected'],
    ['has()', 5, 'the name of a label is expected'],
    ['a in "x"', 6, 'a list in braces is expected'],
    ['a in {"x" "y"}', 11, 'a comma or a closing brace is expected'],
    ['a in {"x"', 10, 'a comma or a closing brace is expected'],
    ['a in {x}', 7, 'a text in quotes is expected'],
    ['a inside {"x"}', 3, 'an operator is expected'],
    ['a containsx "y"', 3, 'an operator is expected'],
    ['a starts "y"', 3, 'an operator is expected'],
    ['a not {"x"}', 3, 'an operator is expected'],
    ['!', 2, 'the name of a label is expected'],
    ['has(b) && global()', 11, 'global() may only be a namespaceSelector of a rule'],
    ['all() || ä == "x"', 10, 'the name of a label is expected'],
    [`${'a'.repeat(513)} == "x"`, 1, 'at most 512 characters, not 513'],
    ['('.repeat(300), 202, 'nested more than 200 deep'],
  ])('%j is none, and the place is told', (text, place, why) => {
    expect(() => parse(text)).toThrow(CalicoSelectorError);
    expect(() => parse(text)).toThrow(`character ${place}: `);
    expect(() => parse(text)).toThrow(why);
  });

  test('with a label of 512 characters is one', () => {
    expect(parse(`has(${'a'.repeat(512)})`)).toContain('aaa');
  });

  test('with any number of negations is one', () => {
    expect(parse(`${'!'.repeat(100_001)}has(a)`)).toBe('!has(a)');
  });

  test.each([
    ['projectcalico.org/namespace == "shop"', '@namespace == "shop"'],
    ['has(projectcalico.org/namespace)', 'has(@namespace)'],
    ['projectcalico.org/serviceaccount in {"robot"}', '@serviceAccount == "robot"'],
    ['projectcalico.org/orchestrator == "k8s"', '@kind == "pod"'],
    ['has(projectcalico.org/orchestrator)', '@kind == "pod"'],
    ['projectcalico.org/orchestrator != "k8s"', '@kind != "pod"'],
    ['projectcalico.org/orchestrator == "mesos"', 'none()'],
    ['pcns.env starts with "pro"', 'namespace:env starts with "pro"'],
    ['pcns.projectcalico.org/name == "shop"', '@namespace == "shop"'],
    ['!has(pcsa.team)', '!has(serviceaccount:team)'],
    ['pcsa.projectcalico.org/name == "robot"', '@serviceAccount == "robot"'],
  ])('%j asks for what Calico’s label stands for: %s', (text, meaning) => {
    expect(parse(text)).toBe(meaning);
  });

  test('of namespaces and of service accounts asks for their labels and their names', () => {
    const text = 'projectcalico.org/name == "shop" && env == "prod"';
    expect(selectorText(parseCalicoSelector(text, 'namespace'))).toBe(
      '@namespace == "shop" && namespace:env == "prod"',
    );
    expect(selectorText(parseCalicoSelector(text, 'service-account'))).toBe(
      '@serviceAccount == "shop" && serviceaccount:env == "prod"',
    );
  });

  test('of namespaces may be global(), which is what is in none', () => {
    const text = selectorText(parseCalicoSelector('global()', 'namespace', { allowsGlobal: true }));
    expect(text).toBe('!has(@namespace)');
  });

  test('takes a label that is not there for one that has none of the values', () => {
    const member = {
      key: 'set /a',
      kind: 'network-set',
      name: 'a',
      labels: { b: 'x' },
      nets: [],
      ports: [],
    } as const;
    const selects = (text: string) => matchesSelector(parseCalicoSelector(text, 'member'), { member });
    expect(['a != "x"', 'a not in {"x"}', '!has(a)', '!(a contains "x")'].map(selects)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['a == ""', 'a contains ""', 'a starts with ""'].map(selects)).toEqual([false, false, false]);
    expect(['b != "x"', 'b not in {"x"}'].map(selects)).toEqual([false, false]);
  });
});

const WORDS = [
  'a',
  'has',
  '(',
  ')',
  '{',
  '}',
  ',',
  '==',
  '!=',
  '!',
  '&&',
  '||',
  '"x"',
  "'y'",
  'in',
  'not',
  'contains',
  'starts',
  'with',
  'all()',
  'global()',
  ' ',
  '"',
  'ß',
];

describe('any text', () => {
  test('is a selector, or is refused with a place in it', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text, { allowsGlobal: true });
        } catch (error) {
          expect(error).toBeInstanceOf(CalicoSelectorError);
          const place = Number(
            /character (\d+): /.exec((error as Error).message.slice(JSON.stringify(text).length))?.[1],
          );
          expect(place).toBeGreaterThanOrEqual(1);
          expect(place).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      runs(1000, 200_000),
    );
  });

  test('that a selector is written as means the same when it is read again', () => {
    const term = fc.constantFrom(
      'has(a)',
      'a == "x"',
      'b in {"x", "y"}',
      'a starts with "x"',
      'all()',
      'c != "z"',
    );
    const expression = fc.letrec<{ e: string }>((tie) => ({
      e: fc.oneof(
        { maxDepth: 4 },
        term,
        tie('e').map((e) => `!(${e})`),
        fc.tuple(tie('e'), fc.constantFrom('&&', '||'), tie('e')).map(([l, op, r]) => `(${l}) ${op} (${r})`),
      ),
    })).e;
    fc.assert(
      fc.property(expression, (text) => {
        const once = parse(text);
        fc.pre(once !== 'none()');
        expect(parse(once)).toBe(once);
      }),
      runs(500, 50_000),
    );
  });
});
