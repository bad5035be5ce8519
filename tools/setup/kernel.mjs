// @ts-check
/**
 * Brings Debian's generic kernel into dist/vm, for the tests that run in a virtual machine: downloaded and unpacked, never
 * installed. apt says which version; what is there already stays.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { excerpt, run, SetupError } from './command.mjs';

/** Depends on the newest kernel of Debian's release. The cloud variant lacks 9p. */
const METAPACKAGE = 'linux-image-amd64';
/** What no test of a network needs, and most of the unpacked bytes. */
const NEEDLESS = [
  'kernel/sound',
  ...['gpu', 'media', 'scsi', 'staging', 'iio', 'usb', 'infiniband', 'hwmon', 'mmc', 'mtd', 'platform'].map(
    (name) => `kernel/drivers/${name}`,
  ),
  'kernel/drivers/net/wireless',
  'kernel/drivers/net/ethernet',
];

/**
 * @typedef {object} KernelRecord what dist/vm/kernel.json holds
 * @property {string} package the Debian package
 * @property {string} release as `uname -r` says it
 * @property {string} image path of the kernel
 * @property {string} modules path of the folder that is /lib/modules to it
 */

/** @param {string} root */
function kernelRecordPath(root) {
  return join(root, 'dist/vm/kernel.json');
}

/**
 * The kernel that was fetched; undefined if there is none, or not all of it.
 * @param {string} root
 * @returns {KernelRecord | undefined}
 */
function readKernelRecord(root) {
  try {
    const record = /** @type {KernelRecord} */ (JSON.parse(readFileSync(kernelRecordPath(root), 'utf8')));
    const isWhole =
      existsSync(record.image) && existsSync(join(record.modules, record.release, 'modules.dep'));
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The package a metapackage stands for, from `apt-cache depends`; undefined if it names none.
 * @param {string} output
 */
export function dependedKernel(output) {
  return /^ *Depends: (linux-image-\S+)$/m.exec(output)?.[1];
}

/**
 * @param {string} root the repository
 * @param {() => Promise<unknown>} refresh refreshes the package lists; called if they know no kernel, or one that is gone
 * @throws {SetupError} if apt has no kernel, or it does not unpack
 */
export async function fetchKernel(root, refresh) {
  if (readKernelRecord(root) !== undefined) return;
  const folder = join(root, 'dist/vm');
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, 'fetch-'));
  try {
    let failure = await download(scratch);
    if (failure !== undefined) {
      await refresh();
      failure = await download(scratch);
    }
    if (failure !== undefined) throw new SetupError(failure);
    await unpack(scratch, root);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Downloads the package into the folder.
 * @param {string} folder
 * @returns {Promise<string | undefined>} what failed
 */
async function download(folder) {
  const query = await run('asking apt for a kernel', 'apt-cache', ['depends', METAPACKAGE]);
  if (query.code === null)
    return `the tests in a virtual machine need Debian's kernel, and there is no apt-cache here: ${query.output}`;
  const name = dependedKernel(query.stdout);
  if (name === undefined)
    return `apt knows no ${METAPACKAGE}, whose kernel the tests in a virtual machine need:\n${excerpt(query.output)}`;
  const { code, output } = await run(`downloading ${name}`, 'apt-get', ['download', '-q', name], {
    cwd: folder,
  });
  return code === 0 ? undefined : `apt-get download ${name} failed:\n${excerpt(output)}`;
}

/**
 * Unpacks the package that lies in the folder and writes the record last, so that it never speaks of half a kernel.
 * @param {string} scratch
 * @param {string} root
 */
async function unpack(scratch, root) {
  const file = readdirSync(scratch).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new SetupError(`apt-get download left no package in ${scratch}`);
  const tree = join(scratch, 'tree');
  await must(`unpacking ${file}`, 'dpkg-deb', ['-x', join(scratch, file), tree]);
  const release = readdirSync(join(tree, 'boot'))
    .find((name) => name.startsWith('vmlinuz-'))
    ?.slice('vmlinuz-'.length);
  if (release === undefined) throw new SetupError(`${file} has no boot/vmlinuz-*`);
  const lib = existsSync(join(tree, 'lib/modules')) ? 'lib' : 'usr/lib';
  for (const name of NEEDLESS)
    rmSync(join(tree, lib, 'modules', release, name), { recursive: true, force: true });
  // The package brings no modules.dep: an installed kernel has it made.
  if (lib !== 'lib') mkdirSync(join(tree, 'lib'), { recursive: true });
  if (lib !== 'lib') renameSync(join(tree, lib, 'modules'), join(tree, 'lib/modules'));
  await must('listing its modules', 'depmod', ['-b', tree, release]);
  const place = join(root, 'dist/vm', release);
  rmSync(place, { recursive: true, force: true });
  renameSync(tree, place);
  /** @type {KernelRecord} */
  const record = {
    package: file.replace(/\.deb$/, ''),
    release,
    image: join(place, 'boot', `vmlinuz-${release}`),
    modules: join(place, 'lib/modules'),
  };
  writeFileSync(`${kernelRecordPath(root)}.new`, JSON.stringify(record, null, 2));
  renameSync(`${kernelRecordPath(root)}.new`, kernelRecordPath(root));
}

/**
 * @param {string} label
 * @param {string} command
 * @param {readonly string[]} args
 */
async function must(label, command, args) {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { code, output } = await run(label, command, args, { env });
  if (code !== 0) throw new SetupError(`${command} failed while ${label}:\n${excerpt(output)}`);
}
