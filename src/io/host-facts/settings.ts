/** What files say of programs that change the network: which are at work, and what they were told. */
import { readdirSync } from 'node:fs';
import type { BootSysctl, FirewallFacts, HostFacts } from '#core/install/index.ts';
import type { Files } from './files.ts';
import { commOf, seesAllProcesses } from './processes.ts';

/** sysctl.d(5): the folders from the one that counts most. */
const SYSCTL_FOLDERS = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d'];
/** systemd.network(5). */
const NETWORK_FOLDERS = [
  '/etc/systemd/network',
  '/run/systemd/network',
  '/usr/local/lib/systemd/network',
  '/usr/lib/systemd/network',
];
/** A link for each unit that is at work: `invocation:NAME`. */
const UNITS = '/run/systemd/units';
/** Where no systemd is, the processes by which its units, or others', would be known. */
const PROCESSES: Readonly<Record<string, string>> = {
  firewalld: 'firewalld.service',
  NetworkManager: 'NetworkManager.service',
  'systemd-network': 'systemd-networkd.service',
};
const UFW_FILES = [
  '/etc/ufw/user.rules',
  '/etc/ufw/user6.rules',
  '/etc/ufw/before.rules',
  '/etc/ufw/before6.rules',
];

/** What is set at boot, in the order in which it is: a later line wins. */
export function bootSysctls(files: Files): BootSysctl[] {
  const paths = [...files.merged(SYSCTL_FOLDERS, '.conf'), '/etc/sysctl.conf'];
  return paths.flatMap((file) =>
    files.lines(file).flatMap((line) => {
      const [, path, value] = /^\s*-?([A-Za-z0-9_./-]+)\s*=\s*(\S+)/.exec(line) ?? [];
      if (path === undefined || value === undefined) return [];
      return [{ file, path: path.includes('/') ? path : path.replaceAll('.', '/'), value }];
    }),
  );
}

/** Units at work, by systemd's own word; where it is not there by processes, if they are to be seen. */
export function unitsAtWork(files: Files): HostFacts['units'] {
  if (files.exists(UNITS))
    return new Set(files.names(UNITS).flatMap((name) => (/^invocation:(.+)$/.exec(name) ?? []).slice(1)));
  if (!seesAllProcesses()) return undefined;
  const names = readdirSync('/proc').flatMap((pid) => (/^\d+$/.test(pid) ? (commOf(pid) ?? []) : []));
  return new Set(names.flatMap((name) => PROCESSES[name] ?? []));
}

/** Those that are installed. */
export function firewalls(files: Files): FirewallFacts[] {
  const found: FirewallFacts[] = [];
  if (files.exists('/etc/firewalld')) {
    const zones = files.list('/etc/firewalld/zones');
    const isReadable = 'value' in files.list('/etc/firewalld') && 'value' in zones;
    found.push({
      name: 'firewalld',
      isEnabled: isUnitEnabled(files, 'firewalld.service'),
      rules: isReadable
        ? textOfAll(
            files,
            files
              .names('/etc/firewalld/zones')
              .filter((name) => name.endsWith('.xml'))
              .map((name) => `/etc/firewalld/zones/${name}`),
          )
        : undefined,
    });
  }
  if (files.exists('/etc/ufw/ufw.conf')) {
    const isEnabled = files.lines('/etc/ufw/ufw.conf').some((line) => /^ENABLED=yes\b/i.test(line));
    found.push({ name: 'ufw', isEnabled, rules: textOfAll(files, UFW_FILES) });
  }
  return found;
}

/** systemctl(1) enable makes links in the folders of targets. */
function isUnitEnabled(files: Files, unit: string): boolean {
  const folder = '/etc/systemd/system';
  return files
    .names(folder)
    .some((name) => name.endsWith('.wants') && files.names(`${folder}/${name}`).includes(unit));
}

function textOfAll(files: Files, paths: readonly string[]): string | undefined {
  const texts = paths.map((path) => files.text(path));
  return texts.every((text) => 'value' in text) ? texts.map((text) => text.value).join('\n') : undefined;
}

/** Keys of networkd.conf(5) that are set to no. */
export function networkdLeaves(files: Files): string[] {
  const lines = settings(files, '/etc/systemd', 'networkd.conf');
  const last = new Map(
    lines.flatMap((line) => {
      const [, key, value] = /^\s*(ManageForeign\w+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as const];
    }),
  );
  return [...last].flatMap(([key, value]) => (/^(no|false|n|f|0|off)$/i.test(value) ? [key] : []));
}

/** Conditions of [Match] beside the name, under which links of Poplin's are not meant, or not all. */
const OTHER_CONDITIONS =
  /^\s*(?:MACAddress|PermanentMACAddress|Path|Driver|Type|Kind|Property|SSID|Host|Virtualization)\s*=/;

/** Of .network files those that match links by their names alone. */
export function networkdMatches(files: Files): HostFacts['networkdMatches'] {
  return files.merged(NETWORK_FOLDERS, '.network').flatMap((file) => {
    const lines = files.lines(file);
    const valuesOf = (key: string) =>
      lines.flatMap((line) =>
        (new RegExp(`^\\s*${key}\\s*=\\s*(.*?)\\s*$`).exec(line)?.[1] ?? '').split(/\s+/),
      );
    const names = valuesOf('Name').filter((name) => name !== '');
    if (names.length === 0 || lines.some((line) => OTHER_CONDITIONS.test(line))) return [];
    const leaves = valuesOf('Unmanaged').some((value) => /^(yes|true|1|on)$/i.test(value));
    return [{ file, names, leaves }];
  });
}

/** Patterns of names in `unmanaged-devices` of NetworkManager.conf(5). */
export function unmanagedLinks(files: Files): string[] {
  const lines = ['/usr/lib/NetworkManager', '/run/NetworkManager', '/etc/NetworkManager'].flatMap((folder) =>
    settings(files, folder, 'NetworkManager.conf', 'conf.d'),
  );
  let patterns: string[] = [];
  for (const line of lines) {
    const [, isMore, value] = /^\s*unmanaged-devices\s*(\+?)=\s*(.*?)\s*$/.exec(line) ?? [];
    if (value === undefined) continue;
    const own = value.split(/[;,]/).flatMap((part) => {
      const [, name] = /^\s*(?:interface-name:)?([^:]+?)\s*$/.exec(part) ?? [];
      return name === undefined || name.startsWith('=') ? [] : [name];
    });
    patterns = isMore === '+' ? [...patterns, ...own] : own;
  }
  return patterns;
}

/** The lines of a file and of its drop-ins, in the order in which they count. */
function settings(files: Files, folder: string, file: string, dropIns = `${file}.d`): string[] {
  const more = files.names(`${folder}/${dropIns}`).filter((name) => name.endsWith('.conf'));
  return [`${folder}/${file}`, ...more.map((name) => `${folder}/${dropIns}/${name}`)].flatMap((path) =>
    files.lines(path),
  );
}
