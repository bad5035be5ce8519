/**
 * Runs one command under Debian's generic kernel: a qemu machine without network, whose root is this machine's, read only,
 * under a layer of memory. One folder is shared, writable, under the same path. The guest's side is tools/vm/guest.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { accelerator } from './accelerator.ts';
import { initramfs } from './initramfs.ts';
import { type KernelRecord, readKernel } from './kernel.ts';

const QEMU = 'qemu-system-x86_64';
const MEMORY_MIB = 2048;
const CONSOLE_LINES = 20;
const KILL_AFTER_MS = 5_000;

export interface GuestCommand {
  readonly command: readonly string[];
  /** A path of this machine. */
  readonly cwd: string;
  /** All of the command's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called with what the command says, standard output and error as they come. */
  readonly onOutput: (text: string) => void;
  readonly timeoutMs?: number;
}

/** A machine that can be started once for a command; disposing removes the shared folder. Throws if there is no kernel to boot. */
export class Machine implements Disposable {
  readonly #kernel = readKernel();
  /** The folder both sides can write to. */
  readonly share = mkdtempSync(join(tmpdir(), 'poplin-vm-'));

  /**
   * Boots, runs the command and ends. Gives its exit status; null if it was broken off after timeoutMs.
   * @throws {Error} with the guest's last words if the machine ended without a status
   */
  async run({ command, cwd, env, onOutput, timeoutMs }: GuestCommand): Promise<number | null> {
    const words = [`--chdir=${cwd}`, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    writeFileSync(join(this.share, 'command'), [...words, ...command].map((word) => `${word}\0`).join(''));
    writeFileSync(join(this.share, 'initramfs'), initramfs(this.#kernel, this.share));
    const args = qemuArguments(this.#kernel, this.share, await accelerator(this.#kernel));
    // The machine ends with this process, even with one that is killed.
    const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', '--', QEMU, ...args], {
      // Its standard input stays open: qemu takes the end of that for the end of the output's reader, too.
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let complaints = '';
    qemu.stdout.setEncoding('utf8').on('data', onOutput);
    qemu.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text;
    });
    const ended = once(qemu, 'close').then(
      () => 'ended',
      (error: unknown) => `cannot start ${QEMU}: ${String(error)}`,
    );
    const limit = new AbortController();
    const outcome = await (timeoutMs === undefined
      ? ended
      : Promise.race([ended, delay(timeoutMs, 'late', { signal: limit.signal })]));
    limit.abort();
    if (outcome === 'late') {
      qemu.kill('SIGTERM');
      const hard = setTimeout(() => qemu.kill('SIGKILL'), KILL_AFTER_MS);
      await ended;
      clearTimeout(hard);
      return null;
    }
    const path = join(this.share, 'status');
    if (outcome === 'ended' && existsSync(path)) return Number.parseInt(readFileSync(path, 'utf8'), 10);
    throw new Error(
      [
        'the virtual machine ended without a status',
        ...(outcome === 'ended' ? [] : [outcome]),
        complaints.trim(),
        this.#lastWords(),
      ].join('\n'),
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.share, { recursive: true, force: true });
  }

  #lastWords(): string {
    const path = join(this.share, 'console');
    return existsSync(path)
      ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n')
      : 'its console said nothing';
  }
}

function qemuArguments(kernel: KernelRecord, share: string, accel: readonly string[]): string[] {
  return [
    ...accel,
    ...['-machine', 'q35', '-m', `${MEMORY_MIB}M`, '-smp', '2'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-nic', 'none'],
    ...['-kernel', kernel.image, '-initrd', join(share, 'initramfs')],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable random.trust_cpu=on'],
    ...['-serial', `file:${escaped(join(share, 'console'))}`],
    ...folder('host', '/', 'readonly=on,multidevs=remap'),
    ...folder('modules', kernel.modules, 'readonly=on'),
    ...folder('share', share, 'readonly=off'),
    ...[
      '-device',
      'virtio-rng-pci',
      '-device',
      'virtio-serial-pci',
      '-chardev',
      'stdio,id=output,signal=off',
    ],
    ...['-device', 'virtserialport,chardev=output,name=poplin.output'],
  ];
}

function folder(tag: string, path: string, options: string): string[] {
  return [
    ...['-fsdev', `local,id=${tag},path=${escaped(path)},security_model=none,${options}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}

/** A path as a value among qemu's options. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}
