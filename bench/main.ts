/** `npm run bench -- NAME [--json] [--nodes N,…] [--only PART,…] [--quick]`: Poplin beside a peer, in the same run on the same machine. Ratios count, not seconds. */
import { parseArgs } from 'node:util';
import { benchBgp } from './bgp/bgp.ts';
import { benchCni } from './cni/cni.ts';
import { isConfined, runConfined } from './confined.ts';
import type { BenchOptions } from './options.ts';
import { benchOverlay } from './overlay/overlay.ts';
import { benchPolicy } from './policy/policy.ts';
import { benchTunnel } from './tunnel/tunnel.ts';

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  bgp: benchBgp,
  cni: benchCni,
  overlay: benchOverlay,
  policy: benchPolicy,
  tunnel: benchTunnel,
};

const USAGE = `usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json] [--nodes N,…] [--only PART,…] [--quick]\n`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const asked = read(args);
  if (asked === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  if (process.geteuid?.() !== 0) {
    process.stderr.write('bench: needs root: it makes network namespaces\n');
    return 1;
  }
  if (!isConfined()) return runConfined();
  await asked.run(asked.options);
  return 0;
}

/** Undefined for what is no proper call. */
function read(
  args: readonly string[],
): { readonly run: (options: BenchOptions) => Promise<void>; readonly options: BenchOptions } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        nodes: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean' },
      },
    });
    const [name = '', ...others] = positionals;
    const run = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    const nodes = values.nodes?.split(',').map(Number);
    const isProper = nodes?.every((count) => Number.isInteger(count) && count > 0 && count <= 32_768) ?? true;
    if (run === undefined || others.length > 0 || !isProper) return undefined;
    const { json = false, quick = false } = values;
    const only = values.only?.split(',');
    return {
      run,
      options: { json, quick, ...(nodes !== undefined && { nodes }), ...(only !== undefined && { only }) },
    };
  } catch {
    return undefined;
  }
}
