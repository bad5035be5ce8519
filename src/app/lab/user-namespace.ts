/** A lab without root: a user namespace in which the user is root over network namespaces of his own, where the kernel allows it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Settings that may forbid it, with the value that does. */
const FORBIDDING: readonly { readonly path: string; readonly value: string; readonly remedy: string }[] = [
  {
    path: 'kernel/unprivileged_userns_clone',
    value: '0',
    remedy: 'sysctl -w kernel.unprivileged_userns_clone=1',
  },
  { path: 'user/max_user_namespaces', value: '0', remedy: 'sysctl -w user.max_user_namespaces=10000' },
  { path: 'user/max_net_namespaces', value: '0', remedy: 'sysctl -w user.max_net_namespaces=10000' },
  { path: 'user/max_mnt_namespaces', value: '0', remedy: 'sysctl -w user.max_mnt_namespaces=10000' },
  {
    path: 'kernel/apparmor_restrict_unprivileged_userns',
    value: '1',
    remedy: 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  },
];

/** A new user namespace (its maker is root in it), mount and network namespace; util-linux is on every Debian. */
export const UNSHARE = ['unshare', '--user', '--map-root-user', '--mount', '--net', '--'] as const;

/** Undefined if a user namespace can be made; else why not, which setting forbids it, and what would allow it. */
export function whyNoUserNamespace(): string | undefined {
  const [command, ...args] = UNSHARE;
  try {
    execFileSync(command, [...args, 'true'], { stdio: ['ignore', 'ignore', 'pipe'] });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    const said = stderr?.toString().trim() || message;
    const setting = FORBIDDING.find(({ path, value }) => readSetting(path) === value);
    const cause =
      setting === undefined
        ? 'no sysctl forbids it: a container runtime or security module (seccomp, SELinux) does'
        : `${setting.path.replaceAll('/', '.')}=${setting.value} forbids it: as root run "${setting.remedy}"`;
    return `the lab needs root or a user namespace, and this user may make none (${said}); ${cause}, or run the lab as root`;
  }
}

/** The command line that continues inside the namespaces of a running rootless lab. */
export function enterCommand(pid: number): readonly string[] {
  return ['nsenter', '--preserve-credentials', '--user', '--mount', `--target=${pid}`, '--'];
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
