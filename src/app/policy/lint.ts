/** `poplin policy lint`: mistakes in policies, by what they say and by what is there to be selected. */
import type { Command } from 'commander';
import { type Finding, lint, refText } from '#core/policy/index.ts';
import { EXIT, policyCommand, print, type SharedFlags, withCluster } from './shared.ts';

export function lintCommand(): Command {
  return policyCommand('lint')
    .description('Look for mistakes in all policies.')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy lint
  poplin policy lint --from manifests/ --json

Exit status: 0 nothing but information, 1 errors or warnings, 2 no such file or cluster.`,
    )
    .action((flags: SharedFlags) =>
      withCluster('lint', flags, (cluster) => {
        const findings = lint(cluster.graph);
        const isUnused = cluster.problems().some(({ isUsed }) => !isUsed);
        print(flags.json, findings.map(jsonOf), describe(findings));
        if (isUnused || findings.some(({ severity }) => severity !== 'info')) process.exitCode = EXIT.no;
      }),
    );
}

function jsonOf({ policy, ...finding }: Finding) {
  return { ...finding, ...(policy !== undefined && { policy: refText(policy) }) };
}

function describe(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing to find fault with\n';
  const blocks = findings.map(({ severity, code, policy, namespace, path, message }) => {
    const where = policy === undefined ? `namespace ${namespace ?? ''}` : refText(policy);
    return `${severity.padEnd(8)}${where}${path === undefined ? '' : ` ${path}`} (${code})\n        ${message}\n`;
  });
  return blocks.join('');
}
