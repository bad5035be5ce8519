import { expect, test } from 'vitest';
import type { Finding } from '#core/install/index.ts';
import { describeFindings } from './report.ts';

const FINDINGS: readonly Finding[] = [
  { check: 'privileges', outcome: 'root', level: 'ok', found: 'root' },
  {
    check: 'port',
    outcome: 'taken',
    level: 'problem',
    found: 'UDP 8472 is taken at 0.0.0.0 by a-program-with-a-name (pid 4711)',
    remedy:
      'end it, or give every node another port in net-conf.json, which all of them read when they start',
  },
  {
    check: 'kernel-policies',
    outcome: 'absent',
    level: 'warning',
    found: 'not in this kernel: log groups',
    remedy:
      '  modprobe -a a_command_is_never_broken because_it_is_meant_to_be_copied_whole from_here\nor not',
  },
];

test('what to do is below what was found, within the width but for commands, and the last line says it all', () => {
  expect(describeFindings(FINDINGS, 72)).toBe(`ok      privileges      root
PROBLEM port            UDP 8472 is taken at 0.0.0.0 by
                        a-program-with-a-name (pid 4711)
        do: end it, or give every node another port in net-conf.json,
            which all of them read when they start
WARNING kernel-policies not in this kernel: log groups
        do:
            modprobe -a a_command_is_never_broken because_it_is_meant_to_be_copied_whole from_here
            or not

Poplin does not work here as planned: 1 problem (port), 1 warning
(kernel-policies)
`);
});

test.each<[Finding['level'], string]>([
  ['ok', 'Poplin can run here'],
  ['warning', 'Poplin can run here: 2 warnings (mtu, port)'],
  ['unknown', 'Not all was seen: 2 things unknown (mtu, port)'],
  ['problem', 'Poplin does not work here as planned: 2 problems (mtu, port)'],
])('two findings of level %s', (level, line) => {
  const findings = (['mtu', 'port'] as const).map((check) => ({ check, outcome: 'x', level, found: 'y' }));
  expect(describeFindings(findings, 80).trimEnd().split('\n').at(-1)).toBe(line);
});
