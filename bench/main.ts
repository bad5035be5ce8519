/** `npm run bench -- NAME [--json]`: Poplin beside a peer, in the same run on the same machine. Ratios count, not seconds. */
import { benchOverlay } from './overlay/overlay.ts';

const BENCHES: Readonly<Record<string, (json: boolean) => Promise<void>>> = { overlay: benchOverlay };

const [name, ...flags] = process.argv.slice(2);
const run = name === undefined ? undefined : BENCHES[name];
if (run === undefined || flags.some((flag) => flag !== '--json')) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json]\n`);
  process.exitCode = 2;
} else if (process.geteuid?.() !== 0) {
  process.stderr.write('bench: needs root: it makes network namespaces\n');
  process.exitCode = 1;
} else {
  await run(flags.includes('--json'));
}
