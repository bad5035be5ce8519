/** `poplin policy test`: flows with the verdicts they should have, out of a file; for whoever keeps policies under version control. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { parseYamlConfig, requireConfig } from '#core/config/index.ts';
import { evaluate, type PolicyGraph } from '#core/policy/index.ts';
import { flowsBetween, parseEnd, parseTarget } from './ends.ts';
import { describeVerdict } from './explain-text.ts';
import { PolicyUsageError } from './objects.ts';
import { EXIT, policyCommand, print, type SharedFlags, withCluster } from './shared.ts';

const SCHEMA = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.string().optional(),
        from: z.string(),
        to: z.string(),
        verdict: z.enum(['allow', 'deny']),
      }),
    )
    .min(1),
});
type Expectation = z.output<typeof SCHEMA>['tests'][number];

interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  /** Why not, drawn. */
  readonly text: string;
}

export function testCommand(): Command {
  return policyCommand('test')
    .description('Check flows against the verdicts they should have.')
    .argument('<file...>', 'YAML: tests, each with from, to, verdict (allow or deny), and a name if you like')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy test expected.yaml --from manifests/

A file:
  tests:
    - name: the shop reaches its database
      from: shop/web
      to: shop/db:5432/tcp
      verdict: allow

Each test is of every family that both ends have. Exit status: 0 all as expected, 1 not all, 2 no such file, pod or cluster.`,
    )
    .action((files: string[], flags: SharedFlags) =>
      withCluster('test', flags, ({ graph }) => {
        const outcomes = files.flatMap(readTests).map((test) => judge(graph, test));
        const failed = outcomes.filter(({ passed }) => !passed);
        const lines = outcomes.map(
          ({ name, passed, text }) => `${passed ? '✓' : '✗'} ${name}\n${passed ? '' : text}`,
        );
        const sum = `${outcomes.length - failed.length} passed, ${failed.length} failed\n`;
        print(
          flags.json,
          outcomes.map(({ name, passed }) => ({ name, passed })),
          lines.join('') + sum,
        );
        if (failed.length > 0) process.exitCode = EXIT.no;
      }),
    );
}

function readTests(file: string): Expectation[] {
  try {
    return requireConfig(parseYamlConfig(SCHEMA, readFileSync(file, 'utf8'), { source: file })).tests;
  } catch (error) {
    throw new PolicyUsageError((error as Error).message, { cause: error });
  }
}

function judge(graph: PolicyGraph, { name, from, to, verdict }: Expectation): Outcome {
  const [source, target] = [parseEnd(from, graph), parseTarget(to, graph)];
  const wrong = flowsBetween(source, target)
    .map((flow) => ({ flow, found: evaluate(graph, flow) }))
    .filter(({ found }) => found.action !== verdict);
  return {
    name: name ?? `${from} to ${to}: ${verdict}`,
    passed: wrong.length === 0,
    text: wrong
      .map(({ flow, found }) =>
        describeVerdict(source.text, target.end.text, flow, found).replaceAll(/^/gm, '    ').trimEnd(),
      )
      .map((text) => `${text}\n`)
      .join(''),
  };
}
