// @ts-check
/**
 * Makes a checkout ready to `run`, `check` or `test`: npm packages, system packages, the native parts, the bundle. Does
 * only what is out of date and says nothing when nothing is. Plain JavaScript without dependencies, since it runs before
 * any are installed and on the machine's own Node (20 or later). Progress goes to standard error.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { excerpt, run, SetupError, say } from './setup/command.mjs';
import {
  fingerprint,
  isStamped,
  lacksOnlyForeignPackages,
  lockDifferences,
  writeStamp,
} from './setup/freshness.mjs';
import { fetchKernel } from './setup/kernel.mjs';
import { installCommand, installedNames, missingPackages, packagesFor } from './setup/packages.mjs';

/** @typedef {import('./setup/packages.mjs').Mode} Mode */
/** @typedef {import('./setup/packages.mjs').SystemPackage} SystemPackage */

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BUNDLE_INPUTS = ['src', 'tools/build.ts', 'package.json', 'package-lock.json'];
const APT_LOCK_WAIT_SEC = 300;
const NODE_MAJOR = 24;

try {
  await setup(process.argv[2]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

/** @param {string | undefined} mode */
async function setup(mode) {
  if (mode !== 'run' && mode !== 'check' && mode !== 'test')
    throw new SetupError(`unknown mode "${mode ?? ''}": use setup.mjs run, check or test`);
  await installNpmPackages();
  await installSystemPackages(mode);
  if (mode === 'check') return;
  if (mode === 'test') await fetchGuestKernel();
  await compile();
  await bundle();
}

async function installNpmPackages() {
  const lock = readJson('package-lock.json');
  if (lock === undefined)
    throw new SetupError('package-lock.json is missing or no JSON: restore it from git');
  const installed = readJson('node_modules/.package-lock.json');
  if (installed !== undefined && lockDifferences(lock, installed).length === 0) return;
  let { code, output } = await npm('ci');
  // npm ci refuses a lock file that lacks packages of other platforms, even those the registry does not have.
  if (code !== 0 && lacksOnlyForeignPackages(output)) ({ code, output } = await npm('install', '--no-save'));
  if (code === 0) return;
  throw new SetupError(`npm ci failed:\n${excerpt(output)}\n${npmAdvice(output)}`);
}

/** @param {string[]} args */
function npm(...args) {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  return run('installing npm packages', 'npm', [...args, ...quiet], { cwd: ROOT });
}

/** @param {string} output */
function npmAdvice(output) {
  if (output.includes('ENOENT') && output.includes('spawn npm'))
    return 'npm is not on PATH: install it beside Node, then run this again';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH/.test(output))
    return 'the npm registry was not reached: check the network or `npm config get registry`, then run this again';
  if (/EUSAGE|in sync/.test(output))
    return 'package.json and package-lock.json disagree: run `npm install` and commit the lock file';
  return `run \`npm ci\` in ${ROOT} to see all of it`;
}

/** @param {Mode} mode */
async function installSystemPackages(mode) {
  const isRoot = process.getuid?.() === 0;
  let missing = missingPackages(packagesFor(mode, isRoot), isPresent);
  if (missing.length === 0) return;
  const query = await run('asking dpkg', 'dpkg-query', [
    '-W',
    '-f',
    '${Package} ${db:Status-Status}\\n',
    ...missing.map((row) => row.name),
  ]);
  if (query.code === null)
    throw new SetupError(`missing:\n${reasons(missing)}\ninstall them with your package manager`);
  const installed = installedNames(query.stdout);
  missing = missing.filter((row) => !installed.has(row.name));
  if (missing.length === 0) return;
  if (!isRoot) throw new SetupError(`missing:\n${reasons(missing)}\nrun: ${installCommand(missing)}`);
  await aptInstall(missing);
}

/** @param {readonly SystemPackage[]} missing */
async function aptInstall(missing) {
  const names = missing.map((row) => row.name);
  const update = await aptUpdate();
  const install = await aptGet(`installing ${names.join(' ')}`, [
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    '-o',
    `DPkg::Lock::Timeout=${APT_LOCK_WAIT_SEC}`,
    ...names,
  ]);
  if (install.code === 0) return;
  const cause =
    update.code === 0 ? '' : `the package lists could not be refreshed:\n${excerpt(update.output)}\n`;
  throw new SetupError(
    `${cause}apt-get install failed:\n${excerpt(install.output)}\nput that right, then run: ${installCommand(missing)}`,
  );
}

/** For the tests in a virtual machine, which need root as all that touch a kernel, and a processor that runs it. */
async function fetchGuestKernel() {
  if (process.getuid?.() !== 0 || process.arch !== 'x64') return;
  await fetchKernel(ROOT, aptUpdate);
}

function aptUpdate() {
  return aptGet('refreshing the package lists', ['update', '-q']);
}

/**
 * Runs apt-get, waiting while another package manager holds its locks.
 * @param {string} label
 * @param {readonly string[]} args
 */
async function aptGet(label, args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const deadline = performance.now() + APT_LOCK_WAIT_SEC * 1000;
  for (;;) {
    const result = await run(label, 'apt-get', args, { env });
    const locked = result.code !== 0 && /Could not get lock|Unable to lock/.test(result.output);
    if (!locked || performance.now() > deadline) return result;
    say('another package manager is at work; waiting for its lock');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
  }
}

async function compile() {
  const { buildNative } = await import('./build-native.mjs');
  try {
    const { built } = buildNative({ root: ROOT });
    if (built.length > 0) say(`compiled ${built.map((path) => basename(path)).join(' and ')}`);
  } catch (error) {
    throw new SetupError(error instanceof Error ? error.message : String(error));
  }
}

async function bundle() {
  const stamp = join(ROOT, 'dist/.stamp');
  const inputs = fingerprint(ROOT, BUNDLE_INPUTS);
  if (existsSync(join(ROOT, 'dist/poplin.mjs')) && isStamped(stamp, inputs)) return;
  const { code, output } = await run('bundling poplin', nodeCommand(), [join(ROOT, 'tools/build.ts')], {
    cwd: ROOT,
  });
  if (code !== 0)
    throw new SetupError(
      `the bundle failed:\n${excerpt(output)}\nmend the source it names, then run this again`,
    );
  writeStamp(stamp, inputs);
}

/** Node 24: npm's, or the one that runs this. */
function nodeCommand() {
  const fromNpm = join(ROOT, 'node_modules/.bin/node');
  if (existsSync(fromNpm)) return fromNpm;
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) return process.execPath;
  throw new SetupError(
    `Poplin needs Node ${NODE_MAJOR}, this is ${process.version} and npm brought none for ${process.platform}/${process.arch}: ` +
      `put Node ${NODE_MAJOR} first on PATH, then run this again`,
  );
}

/** @param {string} proof */
function isPresent(proof) {
  if (isAbsolute(proof)) return existsSync(proof);
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => isExecutable(join(folder, proof)));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {readonly SystemPackage[]} missing */
function reasons(missing) {
  return missing.map((row) => `  ${row.name}: ${row.reason}`).join('\n');
}

/** @param {string} path relative to the root */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
  } catch {
    return undefined;
  }
}
