/** The kernel that tools/setup/kernel.mjs fetched into dist/vm. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../command.ts';

/** Where the kernel is, and what was found out about running it. */
export const VM_FOLDER = join(ROOT, 'dist/vm');

/** What setup writes into kernel.json. */
export interface KernelRecord {
  /** As `uname -r` says it. */
  readonly release: string;
  /** Path of the kernel. */
  readonly image: string;
  /** Path of the folder that is /lib/modules to it. */
  readonly modules: string;
}

/** @throws {Error} if there is none, or this machine has another processor than it */
export function readKernel(): KernelRecord {
  if (process.arch !== 'x64')
    throw new Error(`the virtual machine needs an x86-64 processor, this is ${process.arch}`);
  try {
    return JSON.parse(readFileSync(join(VM_FOLDER, 'kernel.json'), 'utf8')) as KernelRecord;
  } catch (cause) {
    throw new Error(
      `there is no kernel in ${VM_FOLDER}: \`node tools/setup.mjs test\`, as root, fetches it`,
      {
        cause,
      },
    );
  }
}
