/**
 * The architecture as a list, and the command that checks every file against it. To allow one core module to use
 * another, add the name to its line in CORE_ARROWS; the rules themselves are in architecture/.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge, type Verdict } from './architecture/judge.ts';
import type { Plan } from './architecture/plan.ts';

/** Core module: the core modules it may import. Keep it without cycles. */
const CORE_ARROWS = {
  codec: [],
  dhcp: ['codec'],
  dns: ['codec'],
  bgp: ['codec', 'config', 'kernel', 'policy', 'store'],
  nft: ['codec'],
  kernel: ['codec', 'nft'],
  netlink: ['codec', 'kernel', 'nft'],
  store: [],
  kube: ['store'],
  config: [],
  lease: ['config', 'kube', 'store'],
  overlay: ['config', 'kernel', 'lease', 'nft'],
  offload: ['kernel', 'nft', 'overlay'],
  policy: ['config', 'dns', 'kernel', 'kube', 'nft', 'store'],
  install: ['kernel', 'lease', 'overlay'],
  masquerade: ['kernel', 'nft'],
  cni: ['config', 'dhcp', 'kernel', 'nft'],
  lab: ['cni', 'config', 'kernel', 'lease', 'overlay'],
} as const satisfies Plan['coreArrows'];

export const PLAN: Plan = {
  rooms: {
    base: ['base'],
    core: ['base', 'core'],
    io: ['base', 'core', 'io'],
    app: ['base', 'core', 'io', 'app'],
    testing: ['base', 'core', 'testing'],
  },
  coreArrows: CORE_ARROWS,
  innerModules: [
    'src/app/bgp/process',
    'src/app/bgp/service',
    'src/core/bgp/bfd',
    'src/core/bgp/calico',
    'src/core/bgp/discovery',
    'src/core/bgp/filter',
    'src/core/bgp/kernel',
    'src/core/bgp/mesh',
    'src/core/bgp/monitor',
    'src/core/bgp/rib',
    'src/core/bgp/session',
    'src/core/bgp/speaker',
    'src/core/bgp/wire',
    'src/core/lease/etcd',
    'src/core/lease/kube-nodes',
    'src/core/netlink/conntrack',
    'src/core/netlink/log',
    'src/core/netlink/nftables',
    'src/core/policy/compile',
    'src/core/policy/engine',
    'src/core/policy/engine/analysis',
    'src/core/policy/flows',
    'src/core/policy/names',
    'src/core/policy/selector',
    'src/io/cni/exec',
    'src/io/cni/host-local-store',
    'src/io/cni/runtime-files',
    'src/io/cni/server',
  ],
  packages: { base: [], core: ['zod', 'yaml', 'jsonc-parser'] },
  pureRooms: ['base', 'core'],
  impureNames: new Set([
    'Date',
    'performance',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
    'Math.random',
    'crypto',
    'process',
    'Buffer',
    'console',
    'fetch',
    'globalThis',
    'global',
    'require',
  ]),
  maxLines: 400,
  sizeExempt: [
    { path: /\.test\.(ts|mjs)$/, reason: 'tests are tables of named cases' },
    {
      path: /^src\/testing\/.*-contract\.ts$/,
      reason: 'contract suites are tests that several adapters share',
    },
    { path: /\.fixture\.ts$|(^|\/)fixtures\//, reason: 'fixtures are foreign text' },
    { path: /-table\.ts$/, reason: 'rows of one table, with no logic between them' },
  ],
  maxHeaderLines: 12,
  emptyWords: new Set(['Manager', 'Helper', 'Helpers', 'Util', 'Utils', 'Data', 'Info']),
  nameExempt: [
    {
      word: 'Data',
      path: /^src\/core\/netlink\//,
      reason: 'netlink attributes: IFLA_INFO_DATA, NFTA_DATA, NFTA_SET_USERDATA',
    },
    {
      word: 'Info',
      path: /^src\/core\/netlink\//,
      reason: 'netlink attributes: IFLA_LINKINFO, IFLA_INFO_KIND',
    },
    {
      word: 'Data',
      path: /^src\/core\/nft\//,
      reason: 'nf_tables calls the kinds of keys and values data types',
    },
    {
      word: 'Data',
      path: /^src\/core\/lease\//,
      reason: 'BackendData is a key of flannel leases and annotations',
    },
  ],
};

const FILES = ['{src,tools,test,bench}/**/*.{ts,mjs}', '*.ts'];

/** Reads and judges the repository under a folder. */
export function judgeRepository(root: string): Verdict {
  const paths = globSync(FILES, { cwd: root }).toSorted();
  return judge(new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')])), PLAN);
}

if (import.meta.main) {
  const { files, imports, faults } = judgeRepository(process.argv[2] ?? join(import.meta.dirname, '..'));
  for (const { path, line, rule, text } of faults) process.stdout.write(`${path}:${line} ${rule}: ${text}\n`);
  process.stdout.write(`architecture: ${files} files, ${imports} imports, ${faults.length} faults\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
