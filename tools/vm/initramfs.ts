/** The files a guest starts with: busybox, the modules it takes to reach the host's files, and tools/vm/guest. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import type { KernelRecord } from './kernel.ts';
import { modulesInOrder } from './modules.ts';

const BUSYBOX = '/bin/busybox';
const APPLETS = ['sh', 'mount', 'umount', 'insmod', 'mkdir', 'cat', 'cp', 'poweroff', 'switch_root'];
/** Buses, the host's files, the writable layer over them, the way for output, randomness. */
const MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console', 'virtio_rng'];
const GUEST = join(import.meta.dirname, 'guest');

/** The archive; `share` is the path of the shared folder, the same in the guest as here. */
export function initramfs(kernel: KernelRecord, share: string): Buffer {
  const release = join(kernel.modules, kernel.release);
  const list = (name: string) => readFileSync(join(release, name), 'utf8');
  const modules = modulesInOrder(list('modules.dep'), list('modules.builtin'), MODULES);
  return cpioArchive([
    ...['bin', 'dev', 'proc', 'sys', 'modules'].map((path): CpioEntry => ({ path, kind: 'folder' })),
    { path: 'bin/busybox', kind: 'file', content: staticBusybox(), executable: true },
    ...APPLETS.map((name): CpioEntry => ({ path: `bin/${name}`, kind: 'link', content: 'busybox' })),
    ...modules.map(
      (path): CpioEntry => ({
        path: `modules/${basename(path)}`,
        kind: 'file',
        content: readFileSync(join(release, path)),
      }),
    ),
    { path: 'modules.list', kind: 'file', content: modules.map((path) => `${basename(path)}\n`).join('') },
    { path: 'host-share', kind: 'file', content: share },
    { path: 'init', kind: 'file', content: readFileSync(join(GUEST, 'init.sh')), executable: true },
    { path: 'session.sh', kind: 'file', content: readFileSync(join(GUEST, 'session.sh')) },
  ]);
}

function staticBusybox(): Buffer {
  const bytes = readFileSync(BUSYBOX);
  // A program that needs shared libraries names their loader within its first page.
  if (bytes.subarray(0, 4096).includes('/ld-'))
    throw new Error(`${BUSYBOX} needs shared libraries: the guest has none; install busybox-static`);
  return bytes;
}
