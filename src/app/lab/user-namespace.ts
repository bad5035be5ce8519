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
    const { code, stderr, message } = error as { code?: string; stderr?: Buffer; message: string };
    if (code === 'ENOENT')
      return 'the lab needs root, or the command "unshare" of util-linux, which is not here';
    const said = stderr?.toString().trim() || message;
    const [need, other] =
      process.geteuid?.() === 0
        ? [
            'CAP_SYS_ADMIN and CAP_NET_ADMIN, which this root lacks,',
            'give its container those two capabilities',
          ]
        : ['root', 'run the lab as root'];
    return `the lab needs ${need} or a user namespace, and none can be made (${said}); ${cause()}, or ${other}`;
  }
}

function cause(): string {
  const setting = FORBIDDING.find(({ path, value }) => readSetting(path) === value);
  return setting === undefined
    ? 'no sysctl forbids it, so the seccomp profile or security module of a container does: allow it there'
    : `${setting.path.replaceAll('/', '.')}=${setting.value} forbids it: as root run "${setting.remedy}"`;
}

/** The command line that continues inside the namespaces of a running rootless lab; of the network's, too: it could not return to the host's. */
export function enterCommand(pid: number): readonly string[] {
  return ['nsenter', '--preserve-credentials', '--user', '--mount', '--net', `--target=${pid}`, '--'];
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
