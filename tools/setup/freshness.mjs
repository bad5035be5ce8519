// @ts-check
/**
 * Tells whether what a step made is still what its inputs would make: npm's own record against package-lock.json, and a
 * fingerprint of source files against the one stored beside a bundle.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {{ version?: string, link?: boolean, optional?: boolean }} LockEntry
 * @typedef {{ packages?: Record<string, LockEntry> }} Lockfile
 */

/**
 * What `npm ci` would have to change, as short text per package; empty when nothing. Optional packages may be absent: npm
 * leaves out those of other platforms.
 * @param {Lockfile} wanted package-lock.json
 * @param {Lockfile} installed node_modules/.package-lock.json, which npm writes last
 * @returns {string[]}
 */
export function lockDifferences(wanted, installed) {
  const want = registryPackages(wanted);
  const have = registryPackages(installed);
  const differences = [];
  for (const [path, entry] of want) {
    const present = have.get(path);
    if (present === undefined) {
      if (!entry.optional) differences.push(`${path} is missing`);
    } else if (present.version !== entry.version) {
      differences.push(`${path} is ${present.version}, not ${entry.version}`);
    }
  }
  for (const path of have.keys()) if (!want.has(path)) differences.push(`${path} is not in the lock file`);
  return differences;
}

/**
 * True if all that `npm ci` complains of is packages it could not resolve itself (it names them without a version).
 * @param {string} output of npm ci
 */
export function lacksOnlyForeignPackages(output) {
  const complaints = output.split('\n').filter((line) => /npm error (Missing|Invalid): /.test(line));
  return complaints.length > 0 && complaints.every((line) => line.endsWith('@ from lock file'));
}

/**
 * A hash over path, size and modification time of every file under the roots. It changes when a file is edited, added,
 * removed or renamed, and costs no reading.
 * @param {string} base directory the roots are relative to
 * @param {readonly string[]} roots files or directories; a missing one counts as such
 * @returns {string}
 */
export function fingerprint(base, roots) {
  const hash = createHash('sha256');
  for (const root of roots) {
    const stat = statSync(join(base, root), { throwIfNoEntry: false });
    if (stat === undefined) hash.update(`${root} missing\n`);
    else if (!stat.isDirectory()) hash.update(`${root} ${stat.size} ${stat.mtimeMs}\n`);
    else {
      const names = /** @type {string[]} */ (readdirSync(join(base, root), { recursive: true })).sort();
      for (const name of names) {
        const file = statSync(join(base, root, name), { throwIfNoEntry: false });
        if (file?.isFile()) hash.update(`${root}/${name} ${file.size} ${file.mtimeMs}\n`);
      }
    }
  }
  return hash.digest('hex');
}

/**
 * True if the stamp file holds exactly this fingerprint.
 * @param {string} stampPath
 * @param {string} value
 */
export function isStamped(stampPath, value) {
  try {
    return readFileSync(stampPath, 'utf8') === value;
  } catch {
    return false;
  }
}

/**
 * @param {string} stampPath
 * @param {string} value
 */
export function writeStamp(stampPath, value) {
  writeFileSync(stampPath, value);
}

/**
 * @param {Lockfile} lock
 * @returns {Map<string, LockEntry>}
 */
function registryPackages(lock) {
  const entries = Object.entries(lock.packages ?? {});
  return new Map(entries.filter(([path, entry]) => path.includes('node_modules/') && !entry.link));
}
