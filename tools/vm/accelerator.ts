/**
 * Whether qemu may use the processor's own virtualisation. That /dev/kvm can be opened proves nothing: inside some virtual
 * machines a guest then hangs once it leaves its first mode. So a kernel is started that has to get through.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KernelRecord, VM_FOLDER } from './kernel.ts';

const KVM = ['-accel', 'kvm', '-cpu', 'host'];
/**
 * Every instruction is translated: some ten times slower, but it works anywhere. A later processor has instructions, and page tables of
 * five levels, that guests use and that take a fifth longer to emulate.
 */
const SOFTWARE = ['-accel', 'tcg,thread=multi', '-cpu', 'Nehalem'];
/** A kernel under KVM is through in one or two seconds. */
const PATIENCE_MS = 6_000;

/** Options for qemu. What was found out is kept in dist/vm until the next boot of this machine. */
export async function accelerator(kernel: KernelRecord): Promise<readonly string[]> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return SOFTWARE;
  }
  const path = join(VM_FOLDER, 'accelerator');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const known = readKnown(path);
  if (known?.boot === boot) return known.kvm ? KVM : SOFTWARE;
  const kvm = await kvmWorks(kernel);
  writeFileSync(path, `${boot} ${kvm ? 'kvm' : 'none'}\n`);
  return kvm ? KVM : SOFTWARE;
}

function readKnown(path: string): { boot: string; kvm: boolean } | undefined {
  try {
    const [boot = '', word] = readFileSync(path, 'utf8').trim().split(' ');
    return { boot, kvm: word === 'kvm' };
  } catch {
    return undefined;
  }
}

/** A kernel without a root panics at the end of its start, and with panic=-1 the machine then ends by itself. */
function kvmWorks({ image }: KernelRecord): Promise<boolean> {
  const machine = ['-machine', 'q35', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'];
  const qemu = spawn('qemu-system-x86_64', [...KVM, ...machine, '-kernel', image, '-append', 'panic=-1'], {
    stdio: 'ignore',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve) => {
    qemu.on('error', () => resolve(false));
    qemu.on('close', (code) => resolve(code === 0));
  });
}
