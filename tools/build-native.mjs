/**
 * Compiles native/ into dist/poplin.node (the addon), dist/poplin-cni (the CNI client) and dist/poplin-tunnel (the packets of the udp
 * backend), if their sources have changed.
 * Plain JavaScript, because it runs before Node 24 is known to be there. As a script: `node tools/build-native.mjs [--force]`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wstrict-prototypes', '-Wvla'];
const FLAGS = ['-std=c11', '-O2', ...WARNINGS, '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2'];
const ADDON_FLAGS = ['-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-z,relro,-z,now'];
const ADDON_PARTS = [
  'addon.c',
  'namespace.c',
  'socket.c',
  'batch.c',
  'poll.c',
  'exchange.c',
  'memory.c',
  'file.c',
];
const CLIENT_PARTS = ['cni-client.c', 'cni-frame.c', 'cni-json.c', 'cni-pending.c', 'cni-text.c'];
const TUNNEL_PURE_PARTS = ['tunnel-sum.c', 'tunnel-packet.c', 'tunnel-segment.c', 'tunnel-merge.c'];
const TUNNEL_PARTS = [
  'tunnel.c',
  'tunnel-control.c',
  'tunnel-in.c',
  'tunnel-out.c',
  'tunnel-peers.c',
  'tunnel-sandbox.c',
  'tunnel-setup.c',
  ...TUNNEL_PURE_PARTS,
];
const TUNNEL_HARNESS_PARTS = ['tunnel-harness.c', 'tunnel-peers.c', ...TUNNEL_PURE_PARTS];
const STATIC_FLAGS = ['-static', '-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections', '-s'];
/** Of a program that brings what it needs of a libc. */
const FREESTANDING_FLAGS = [
  '-U_FORTIFY_SOURCE',
  '-ffreestanding',
  '-fno-tree-loop-distribute-patterns',
  '-nostdlib',
  '-mstack-protector-guard=global',
];

/**
 * Builds what is out of date below `root`/dist.
 * @param {{ force?: boolean, root?: string }} [options]
 * @returns {{ addon: string, client: string, tunnel: string, built: string[] }} the three paths, and those of them that were compiled now
 * @throws {Error} with a readable reason if the compiler or a header is missing or the sources do not compile
 */
export function buildNative({ force = false, root = ROOT } = {}) {
  const dist = join(root, 'dist');
  mkdirSync(dist, { recursive: true });
  const addon = join(dist, 'poplin.node');
  const client = join(dist, 'poplin-cni');
  const tunnel = join(dist, 'poplin-tunnel');
  const built = [];
  for (const [output, command] of [
    [addon, () => [...FLAGS, ...ADDON_FLAGS, `-I${nodeHeaders(root)}`, ...sources(root, ADDON_PARTS), '-lm']],
    [client, () => [...FLAGS, ...STATIC_FLAGS, versionFlag(root), ...clientParts(root)]],
    [tunnel, () => [...FLAGS, ...STATIC_FLAGS, '-pthread', ...sources(root, TUNNEL_PARTS)]],
  ]) {
    const fingerprint = fingerprintOf(root);
    if (!force && existsSync(output) && readStamp(output) === fingerprint) continue;
    compile(command(), output);
    writeFileSync(stampPath(output), fingerprint);
    built.push(output);
  }
  return { addon, client, tunnel, built };
}

/** The client's sources, with what makes them a program without the C library on x86-64. */
function clientParts(root) {
  const parts = sources(root, CLIENT_PARTS);
  if (process.arch !== 'x64') return parts;
  return [...FREESTANDING_FLAGS, ...parts, ...sources(root, ['cni-libc.c'])];
}

/**
 * Compiles the CNI client with the address and undefined-behaviour sanitizers, for tests.
 * @param {string} output path of the executable
 */
export function buildSanitizedClient(output, root = ROOT) {
  buildSanitized(output, sources(root, CLIENT_PARTS));
}

/**
 * Compiles the tunnel's parsing, cutting, merging and table of peers, in the same way, as a filter that tests feed.
 * @param {string} output path of the executable
 */
export function buildSanitizedTunnelHarness(output, root = ROOT) {
  buildSanitized(output, [...sources(root, TUNNEL_HARNESS_PARTS), '-pthread']);
}

function buildSanitized(output, inputs) {
  const sanitize = ['-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  compile(['-std=c11', '-O1', ...WARNINGS, ...sanitize, ...inputs], output);
}

function versionFlag(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return `-DPOPLIN_VERSION="${version}"`;
}

function sources(root, names) {
  return names.map((name) => join(root, 'native', name));
}

/** The folder with node_api.h and uv.h: of the Node that is installed with the project, else of the one that runs. */
function nodeHeaders(root) {
  const candidates = [
    join(root, 'node_modules', `node-linux-${process.arch}`, 'include', 'node'),
    join(dirname(dirname(process.execPath)), 'include', 'node'),
    '/usr/include/node',
    '/usr/local/include/node',
  ];
  const found = candidates.find(
    (folder) => existsSync(join(folder, 'node_api.h')) && existsSync(join(folder, 'uv.h')),
  );
  if (found !== undefined) return found;
  throw new Error(
    `the native code needs node_api.h and uv.h, which are in none of ${candidates.join(', ')}; ` +
      'run `npm install` (it brings them) or, on Debian, `apt-get install libnode-dev`',
  );
}

/** Compiles to a file beside the output and renames it, so that a process that runs the old one is not disturbed. */
function compile(args, output) {
  const compiler = process.env['CC'] || 'cc';
  const temporary = `${output}.${process.pid}.tmp`;
  const result = spawnSync(compiler, [...args, '-o', temporary], { encoding: 'utf8' });
  if (result.error !== undefined || result.status !== 0) {
    rmSync(temporary, { force: true });
    throw new Error(explain(compiler, output, result));
  }
  renameSync(temporary, output);
}

function explain(compiler, output, result) {
  if (result.error?.code === 'ENOENT') {
    return `the native code needs a C compiler and there is no ${compiler}; on Debian: apt-get install gcc libc6-dev`;
  }
  const text = result.error === undefined ? result.stderr : result.error.message;
  const missing = /(\S+\.h): No such file|cannot find -lc\b|cannot find (-l\S+)/.exec(text);
  if (missing === null) return `${output} does not compile:\n${text}`;
  return `${output} does not compile, a C header or library is missing; on Debian: apt-get install gcc libc6-dev\n${text}`;
}

function fingerprintOf(root) {
  const folder = join(root, 'native');
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const name of readdirSync(folder).sort()) {
    if (/\.[ch]$/.test(name)) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  }
  return hash.update(`${versionFlag(root)} ${process.arch} ${process.env['CC'] ?? ''}`).digest('hex');
}

function stampPath(output) {
  return `${output}.sha256`;
}

function readStamp(output) {
  try {
    return readFileSync(stampPath(output), 'utf8');
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { built } = buildNative({ force: process.argv.includes('--force') });
    console.log(built.length === 0 ? 'native code is up to date' : `built ${built.join(', ')}`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
