/**
 * The checks that need no kernel: format, lint, types, architecture, unused code, unit tests. Two run at a time; only what
 * a failed one said is shown, then one table.
 */
import { availableParallelism } from 'node:os';
import { runCommand } from './command.ts';
import { runPart } from './test/run.ts';
import { partsOf, TIERS } from './test/tier.ts';

interface Result {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
  /** A few words for the table. */
  readonly remark: string;
}

interface Step {
  readonly name: string;
  readonly run: () => Promise<Omit<Result, 'name'>>;
}

/** The longest first, so that the short ones fill the gaps. */
const STEPS: readonly Step[] = [
  { name: 'unit tests', run: unitTests },
  tool('lint', 'oxlint', ['--type-aware']),
  tool('unused', 'knip', ['--no-progress']),
  tool('types', 'tsc', []),
  tool('types of setup', 'tsc', ['--project', 'tools/setup']),
  tool('architecture', 'node', ['tools/architecture.ts']),
  tool('format', 'biome', ['check', '--error-on-warnings', '.']),
];

const started = performance.now();
const results: Result[] = [];
const waiting = [...STEPS];
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));

const bad = results.filter((result) => !result.ok);
for (const { name, output } of bad) process.stdout.write(`── ${name} ──\n${output.trimEnd()}\n\n`);
for (const { name } of STEPS) {
  const result = results.find((each) => each.name === name);
  if (result === undefined) continue;
  const seconds = `${result.seconds.toFixed(1)} s`.padStart(8);
  process.stdout.write(
    `${result.ok ? 'ok    ' : 'FAILED'} ${name.padEnd(15)}${seconds}  ${result.remark}`.trimEnd(),
  );
  process.stdout.write('\n');
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(`check: ${results.length - bad.length} passed, ${bad.length} failed in ${seconds} s\n`);
process.exitCode = bad.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    results.push({ name: step.name, ...(await step.run()) });
  }
}

function tool(name: string, command: string, args: readonly string[]): Step {
  return {
    name,
    run: async () => {
      const { code, output, seconds } = await runCommand(command, args);
      return { ok: code === 0, seconds, output, remark: lastWords(output) };
    },
  };
}

async function unitTests(): Promise<Omit<Result, 'name'>> {
  const part = TIERS.flatMap(partsOf).find(({ name }) => name === 'unit');
  if (part === undefined) throw new Error('tools/test/tier.ts lists no tier "unit"');
  const { passed, failed, skipped, totalSeconds: seconds, output } = await runPart(part);
  const isEmpty = passed.length === 0;
  return {
    ok: failed.length === 0 && !isEmpty,
    seconds,
    output: isEmpty ? `${output}\nno unit test was run` : output,
    remark: `${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`,
  };
}

/** The last line, where a tool counts what it saw. */
function lastWords(output: string): string {
  return output.trimEnd().split('\n').at(-1)?.slice(0, 100) ?? '';
}
