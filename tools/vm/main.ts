/**
 * Runs a command of this machine under Debian's generic kernel and exits with its status (124 if it took too long).
 * Usage: node tools/vm/main.ts [--minutes N] [--] command [argument]...
 */
import { parseArgs } from 'node:util';
import { guestEnvironment, Machine } from './index.ts';

const DEFAULT_MINUTES = '15';

const { values, positionals: command } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: DEFAULT_MINUTES } },
});
const minutes = Number(values.minutes);
if (command.length === 0 || !(minutes > 0)) {
  process.stderr.write('usage: node tools/vm/main.ts [--minutes N] [--] command [argument]...\n');
  process.exit(2);
}
using machine = new Machine();
const status = await machine.run({
  command,
  cwd: process.cwd(),
  env: guestEnvironment(),
  timeoutMs: minutes * 60_000,
  onOutput: (text) => process.stdout.write(text),
});
if (status === null) process.stderr.write(`broken off after ${minutes} min\n`);
process.exitCode = status ?? 124;
