import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  ConfigError,
  formatProblem,
  type ParseResult,
  parseConfig,
  parseYamlConfig,
  requireConfig,
} from './index.ts';

const STRICT = z.strictObject({
  name: z.string(),
  port: z.int().min(1).max(65535).default(8472),
  mode: z.enum(['auto', 'separate']).default('auto'),
  list: z.array(z.object({ subnet: z.string() })).default([]),
});

const told = (result: ParseResult<unknown>) => ({
  problems: result.ok ? [] : result.problems.map(formatProblem),
  warnings: result.warnings.map(formatProblem),
});
const read = (text: string, schema: z.ZodType = STRICT) =>
  told(parseConfig(schema, text, { source: 'x.json' }));

describe('parseConfig', () => {
  test('reads comments and trailing commas', () => {
    const text = '\uFEFF{ // one\n  /* two\n lines */ "name": "a", "list": [{"subnet": "s",},],\n}';
    const result = parseConfig(STRICT, text, { source: 'x.json' });
    expect(result).toEqual({
      ok: true,
      value: { name: 'a', port: 8472, mode: 'auto', list: [{ subnet: 's' }] },
      warnings: [],
    });
  });

  test('reports every problem of a text at once, in the order of the text', () => {
    const text =
      '{\n  "port": 70000,\n  "mode": "seperate",\n  "list": [{"subnet": 3}, 4],\n  "prt": 1,\n  "port": 1\n}';
    expect(read(text).problems).toEqual([
      'x.json:1:1: name: is required: a string',
      'x.json:3:11: mode: must be one of "auto", "separate", not the string "seperate" (did you mean "separate"?)',
      'x.json:4:23: list[0].subnet: must be a string, not 3',
      'x.json:4:27: list[1]: must be an object, not 4',
      'x.json:5:3: prt: is not a known key (did you mean "port"?)',
      'x.json:6:3: port: is given twice (first in line 2): keep one',
    ]);
  });

  test('carries path, position and value in each problem', () => {
    const result = parseConfig(STRICT, '{"name":"a",\r\n"port": 70000}', { source: 'x.json' });
    expect(result.ok ? [] : result.problems).toEqual([
      {
        source: 'x.json',
        path: 'port',
        line: 2,
        column: 9,
        message: 'must be at most 65535, not 70000',
        value: 70000,
      },
    ]);
  });

  const broken: readonly [string, string, string][] = [
    ['an empty text', '', 'x.json:1:1: the text is empty: expected a JSON value'],
    ['only a comment', '\n// x', 'x.json:2:5: expected a value, but the text ends'],
    ['a missing comma', '{"a": 1\n "b": 2}', 'x.json:2:2: expected "," between entries, found "\\"b\\""'],
    ['a missing brace', '{"a": 1', 'x.json:1:8: expected "}": an object is not closed, but the text ends'],
    ['a missing bracket', '[1', 'x.json:1:3: expected "]": a list is not closed, but the text ends'],
    ['text after the end', '{}\n{}', 'x.json:2:1: expected the end of the text, found "{"'],
    ['a word', '{"a": yes}', 'x.json:1:7: not a JSON word, found "yes"'],
    ['single quotes', "{'a': 1}", 'x.json:1:2: not a JSON word, found "\'a\'"'],
    ['an open comment', '{} /* x', 'x.json:1:4: a "/*" comment is not closed, found "/* x"'],
    [
      'an open string',
      '{"a": "b\n}',
      'x.json:1:7: a string is not closed: expected a double quote before the end of the line, found "\\"b"',
    ],
    ['a tower of brackets', '['.repeat(50_000), 'x.json:1:201: nested deeper than 200 levels: flatten it'],
  ];
  test.each(broken)('names line and column of %s', (_, text, problem) => {
    expect(read(text).problems[0]).toBe(problem);
  });

  test('lets the kind of the schema weigh unknown keys', () => {
    const text = '{"prot": 1}';
    const shape = { port: z.int().optional() };
    const hint = 'x.json:1:2: prot: is not a known key';
    expect(read(text, z.strictObject(shape)).problems).toEqual([`${hint} (did you mean "port"?)`]);
    expect(read(text, z.object(shape)).warnings).toEqual([`${hint} and is ignored (did you mean "port"?)`]);
    expect(read(text, z.looseObject(shape))).toEqual({ problems: [], warnings: [] });
  });

  test('finds unknown keys below unions, records, lists, defaults and pipes', () => {
    const inner = z.strictObject({ a: z.int().optional() });
    const schema = z.object({
      union: z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('p'), port: z.int().optional() }),
        z.strictObject({ type: z.literal('q') }),
      ]),
      record: z.record(z.string(), inner),
      either: z.union([z.string(), inner]),
      piped: inner.transform((value) => value.a).optional(),
    });
    const text = '{"union":{"type":"q","port":1},"record":{"x":{"b":1}},"either":{"c":1},"piped":{"d":1}}';
    expect(read(text, schema).problems.map((problem) => problem.split(': ')[1])).toEqual([
      'union.port',
      'record.x.b',
      'either.c',
      'piped.d',
    ]);
  });

  test('keeps secrets out of problems', () => {
    const schema = z.object({ psk: z.string().min(8) });
    const result = parseConfig(schema, '{"psk": "geheim"}', { source: 'x.json', secrets: ['psk'] });
    expect(JSON.stringify(result)).not.toContain('geheim');
    expect(told(result).problems).toEqual(['x.json:1:9: psk: must have at least 8 characters, not 6']);
  });

  test('reads as Go does where asked: keys in any case, null as no key', () => {
    const options = { source: 'x.json', goStyle: true };
    const text = '{"NAME": "a", "Port": null, "list": [{"SUBNET": "s"}]}';
    const result = parseConfig(STRICT, text, options);
    expect(result.ok && result.value).toEqual({
      name: 'a',
      port: 8472,
      mode: 'auto',
      list: [{ subnet: 's' }],
    });
    expect(told(parseConfig(STRICT, '{"NAME": 3}', options)).problems).toEqual([
      'x.json:1:10: name: must be a string, not 3',
    ]);
    expect(told(parseConfig(STRICT, '{"NAME": "a", "name": "b"}', options)).problems).toEqual([
      'x.json:1:15: name: is the same key as "NAME" (the case of letters does not count): keep one',
    ]);
  });

  test('treats __proto__ as a key like any other', () => {
    expect(read('{"name": "a", "__proto__": {"port": 1}}').problems).toEqual([
      'x.json:1:15: __proto__: is not a known key',
    ]);
  });

  test('never throws and always points into the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.json(), fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]":,/*n1 \n'.split('')) })),
        (text) => {
          for (const goStyle of [false, true]) {
            const result = parseConfig(STRICT, text, { source: 'x', goStyle });
            const lines = text.split('\n').length;
            for (const problem of result.ok ? [] : result.problems) {
              expect(problem.line).toBeGreaterThan(0);
              expect(problem.line).toBeLessThanOrEqual(lines + text.split('\r').length);
            }
          }
        },
      ),
    );
  });

  test('agrees with JSON.parse on the value of any JSON without repeated keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify(value, null, 2);
        const result = parseConfig(z.unknown(), text, { source: 'x' });
        expect(result.ok && result.value).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('parseYamlConfig', () => {
  const yaml = (text: string) => told(parseYamlConfig(STRICT, text, { source: 't.yaml' })).problems;

  test('reads block and flow forms, anchors and aliases', () => {
    const text = 'name: &n a\nlist:\n  - subnet: *n\n  - { subnet: b }\n';
    const result = parseYamlConfig(STRICT, text, { source: 't.yaml' });
    expect(result.ok && result.value.list).toEqual([{ subnet: 'a' }, { subnet: 'b' }]);
  });

  test('reports problems with lines and columns as JSON does', () => {
    expect(yaml('name: 3\nlist:\n  - subnett: a\nport: x\nport: 4\nprt: 1\n')).toEqual([
      't.yaml:1:7: name: must be a string, not 3',
      't.yaml:3:5: list[0].subnet: is required: a string',
      't.yaml:5:1: port: is given twice (first in line 4): keep one',
      't.yaml:6:1: prt: is not a known key (did you mean "port"?)',
    ]);
  });

  const broken: readonly [string, string, string][] = [
    ['an empty text', '', 't.yaml:1:1: the text is empty'],
    ['an open list', 'name: [a\nport: 3', 't.yaml:2:1: not YAML'],
    ['an unknown anchor', 'name: *x', 't.yaml:1:7'],
    ['a tower of brackets', '['.repeat(50_000), 't.yaml:1:'],
    ['a key that is a list', '? [a]\n: 1', 't.yaml:1:3: a key must be a word'],
    [
      'aliases of aliases',
      'a: &a [x,x,x,x,x,x,x,x,x,x]\n' +
        'bcdefgh'.replace(
          /./g,
          (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(10)}]\n`,
        ),
      't.yaml:',
    ],
  ];
  test.each(broken)('refuses %s', (_, text, start) => {
    const [first] = yaml(text);
    expect(first?.slice(0, start.length)).toBe(start);
    expect(yaml(text).length).toBeLessThanOrEqual(11);
  });

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]&*:!-?|>"\' \n\ta1'.split('')) })),
        (text) => {
          parseYamlConfig(STRICT, text, { source: 'x' });
        },
      ),
    );
  });
});

describe('requireConfig', () => {
  test('gives the value, or throws an error that lists all problems', () => {
    expect(requireConfig(parseConfig(z.int(), '3', { source: 'x' }))).toBe(3);
    const attempt = () => requireConfig(parseConfig(STRICT, '{"port": 0}', { source: 'x.json' }));
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(
      'x.json:1:1: name: is required: a string\nx.json:1:10: port: must be at least 1, not 0',
    );
  });
});
