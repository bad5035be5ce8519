import { expect, test } from 'vitest';
import { lastComplaint } from './agent-log.ts';

const line = (level: number, msg: string, message?: string) =>
  JSON.stringify({
    level,
    msg,
    ...(message !== undefined && { err: { message, stack: `Error: ${message}\n at x` } }),
  });

const LOGS: readonly (readonly [what: string, log: string, complaint: string | undefined])[] = [
  ['nothing was said', '', undefined],
  [
    'a fatal error came last',
    `${line(30, 'store')}\n${line(60, 'agent cannot run', 'no such link\nmore')}\n`,
    'no such link',
  ],
  ['a warning has no error', `${line(40, 'store is away')}\n${line(30, 'retrying')}\n`, 'store is away'],
  ['only ordinary lines were said', `${line(30, 'store')}\n`, line(30, 'store')],
  [
    'an error was not caught',
    `${line(30, 'store')}\nfile:///x.mjs:3\n  throw new TypeError('bad');\n  ^\n\nTypeError: bad\n    at f (x.mjs:3)\n\nNode.js v24.0.0\n`,
    'TypeError: bad',
  ],
  ['the command line was refused', 'poplin: unknown option\n', 'poplin: unknown option'],
];

test.each(LOGS)('the complaint where %s', (_, log, complaint) => {
  expect(lastComplaint(log)).toBe(complaint);
});
