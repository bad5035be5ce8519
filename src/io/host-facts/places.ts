/** What files of the host say: of CNI, of programs that change the network, of settings at boot. Below a root, so that tests have hosts of their own. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BootSysctl, CniFile, Firewall, Folder, HostFacts } from '#core/install/index.ts';

/** sysctl.d(5): the folders from the last that counts to the first, by name of the file within. */
const SYSCTL_FOLDERS = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/local/lib/sysctl.d', '/usr/lib/sysctl.d'];
const CNI_FILE = /\.(conf|conflist|json)$/;

export class Places {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** The networks a runtime finds, in its order; undefined if there is no such folder. */
  cniFiles(folder: string): CniFile[] | undefined {
    const names = this.#names(folder);
    return names?.filter((name) => CNI_FILE.test(name)).map((name) => this.#cniFile(folder, name));
  }

  /** What is set at boot, in the order in which it is: a later line wins. */
  bootSysctls(): BootSysctl[] {
    const files = new Map<string, string>();
    for (const folder of SYSCTL_FOLDERS.toReversed())
      for (const name of this.#names(folder) ?? [])
        if (name.endsWith('.conf')) files.set(name, `${folder}/${name}`);
    const ordered = [...files].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
    return [...ordered, '/etc/sysctl.conf'].flatMap((file) =>
      this.#lines(file).flatMap((line) => {
        const [, path, value] = /^\s*-?([A-Za-z0-9_./-]+)\s*=\s*(\S+)/.exec(line) ?? [];
        return path === undefined || value === undefined
          ? []
          : [{ file, path: path.includes('/') ? path : path.replaceAll('.', '/'), value }];
      }),
    );
  }

  firewalls(): Firewall[] {
    const found: Firewall[] = [];
    if (this.#exists('/run/firewalld')) found.push('firewalld');
    if (this.#lines('/etc/ufw/ufw.conf').some((line) => /^ENABLED=yes\b/i.test(line))) found.push('ufw');
    return found;
  }

  networkd(): HostFacts['networkd'] {
    if (!this.#exists('/run/systemd/netif/state')) return 'absent';
    const lines = this.#settings('/etc/systemd', 'networkd.conf');
    const keeps = ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules'].every((key) =>
      /=\s*(no|false|0|off)\s*$/i.test(lines.findLast((line) => line.trim().startsWith(`${key}=`)) ?? ''),
    );
    return keeps ? 'keeps' : 'removes';
  }

  networkManager(): HostFacts['networkManager'] {
    if (!this.#exists('/run/NetworkManager')) return 'absent';
    const lines = ['/usr/lib/NetworkManager', '/etc/NetworkManager'].flatMap((folder) =>
      this.#settings(folder, 'NetworkManager.conf', 'conf.d'),
    );
    const isNamed = lines.some((line) => /^\s*unmanaged-devices\s*[+=].*(flannel|pop\*)/.test(line));
    return isNamed ? 'keeps' : 'manages';
  }

  /** Whether files can be made there, or where the folder itself can be; and how much room there is. */
  folder(path: string): Folder {
    let existing = path;
    while (!this.#exists(existing)) existing = dirname(existing);
    try {
      accessSync(this.#at(existing), constants.W_OK | constants.X_OK);
      const { bavail, bsize } = statfsSync(this.#at(existing));
      return { path, freeBytes: bavail * bsize };
    } catch (error) {
      return { path, error: (error as NodeJS.ErrnoException).code ?? String(error) };
    }
  }

  #cniFile(folder: string, name: string): CniFile {
    try {
      // Comments are allowed where Poplin reads; runtimes of others do not take them.
      const json = JSON.parse(readFileSync(this.#at(`${folder}/${name}`), 'utf8')) as {
        type?: string;
        plugins?: { type?: string }[];
      };
      const types = (json.plugins ?? [json]).flatMap(({ type }) => (typeof type === 'string' ? [type] : []));
      return { name, types };
    } catch (error) {
      return { name, types: [], problem: (error as Error).message };
    }
  }

  /** The lines of a file and of its drop-ins, in the order in which they count. */
  #settings(folder: string, file: string, dropIns = `${file}.d`): string[] {
    const more = (this.#names(`${folder}/${dropIns}`) ?? []).filter((name) => name.endsWith('.conf'));
    return [`${folder}/${file}`, ...more.map((name) => `${folder}/${dropIns}/${name}`)].flatMap((path) =>
      this.#lines(path),
    );
  }

  #lines(path: string): string[] {
    try {
      return readFileSync(this.#at(path), 'utf8').split('\n');
    } catch {
      return []; // not there, or not to be read: it says nothing then
    }
  }

  #names(folder: string): string[] | undefined {
    try {
      return readdirSync(this.#at(folder)).toSorted();
    } catch {
      return undefined;
    }
  }

  #exists(path: string): boolean {
    return existsSync(this.#at(path));
  }

  #at(path: string): string {
    return join(this.#root, path);
  }
}
