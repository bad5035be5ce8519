/** `poplin cni validate`: everything that is wrong with configuration files, with line and column. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { type Findings, validateNetwork, validatePlugin } from '#core/cni/index.ts';
import { formatProblem, type Problem } from '#core/config/index.ts';
import { EXIT, messageOf, print, reported, UsageError } from './output.ts';

interface ValidateFlags {
  readonly plugin?: boolean;
  readonly json?: boolean;
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('Tell everything that is wrong with network configurations.')
    .argument('<file...>', '.conflist, .conf or .json')
    .option('--plugin', "the files hold one plugin each, as those in the folder of a network's name")
    .option('--json', 'print a JSON array of problems and warnings')
    .addHelpText(
      'after',
      `
Examples:
  poplin cni validate /etc/cni/net.d/*.conflist
  poplin cni validate --plugin /etc/cni/net.d/pods/*.conf

A problem stops the network from working; a warning is probably a slip. Comments and trailing commas are accepted.
Exit status: 0 no problem, 1 problems, 2 a file cannot be read.`,
    )
    .action((paths: string[], flags: ValidateFlags) =>
      reported('validate', flags.json, () => validate(paths, flags)),
    );
}

async function validate(paths: readonly string[], { plugin, json }: ValidateFlags): Promise<void> {
  const check = plugin ? validatePlugin : validateNetwork;
  const all: Findings[] = [];
  for (const path of paths) all.push(check(await readConfig(path), path));
  const problems = all.flatMap((findings) => findings.problems);
  const warnings = all.flatMap((findings) => findings.warnings);
  const lines = [
    ...problems.map((problem) => `${formatProblem(problem)}\n`),
    ...warnings.map((problem) => `${formatProblem(problem)} (warning)\n`),
  ];
  const sum = `${count(paths.length, 'file')}: ${count(problems.length, 'problem')}, ${count(warnings.length, 'warning')}\n`;
  const rows = [...problems.map(rowOf('problem')), ...warnings.map(rowOf('warning'))];
  print(json, rows, lines.join('') + sum);
  if (problems.length > 0) process.exitCode = EXIT.failed;
}

/** The file's text; throws UsageError if it cannot be read. */
export async function readConfig(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function rowOf(severity: 'problem' | 'warning') {
  return ({ source: file, line, column, path, message }: Problem) => {
    return { file, line, column, path, severity, message };
  };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
