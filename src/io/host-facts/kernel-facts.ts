/** What the kernel was built with and which modules it has, from what it and its package say. Nothing is loaded to know. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { KernelFacts } from '#core/install/index.ts';

/** modprobe.d(5): of a name that several folders have, the first counts. */
const MODPROBE_FOLDERS = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/local/lib/modprobe.d',
  '/lib/modprobe.d',
];
const OPTION = /^CONFIG_(\w+)=([ym])$/gm;

export interface KernelPlaces {
  /** Prefix of files of the system. */
  readonly root: string;
  /** Prefix of /proc and /sys. */
  readonly running: string;
  /** As `uname -r`. */
  readonly release: string;
}

type Looked = Omit<KernelFacts, 'trials' | 'untried' | 'newModules'>;

/** All but what is tried. */
export function readKernelFacts({ root, running, release }: KernelPlaces): Looked {
  const folder = join(root, 'lib/modules', release);
  return {
    release,
    options: optionsOf([
      join(running, 'proc/config.gz'),
      join(root, `boot/config-${release}`),
      join(folder, 'config'),
    ]),
    builtin: modulesIn(join(folder, 'modules.builtin')),
    loadable: modulesIn(join(folder, 'modules.dep')),
    loaded: loadedModules(running),
    barred: barredModules(root),
    isClosed: textOf(join(running, 'proc/sys/kernel/modules_disabled'))?.trim() === '1',
  };
}

/** Those of which the kernel tells: all that are loaded, and such as are part of it and have parameters. */
export function loadedModules(running: string): ReadonlySet<string> {
  const lines = textOf(join(running, 'proc/modules'))?.split('\n') ?? [];
  const folder = join(running, 'sys/module');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return new Set([...lines.flatMap((line) => /^\S+/.exec(line)?.[0] ?? []), ...names].map(plain));
}

/** From the first of the files that can be read. */
function optionsOf(files: readonly string[]): KernelFacts['options'] {
  for (const file of files) {
    const text = textOf(file);
    if (text === undefined) continue;
    const options = Array.from(
      text.matchAll(OPTION),
      ([, name = '', value]) => [name, value as 'y' | 'm'] as const,
    );
    if (options.length > 0) return new Map(options);
  }
  return undefined;
}

/** Each line of both lists begins with the path of a module: `kernel/net/ipv4/ipip.ko.xz`. */
const MODULE_LINE = /^(?:[^\s:]*\/)?([^\s:/]+)\.ko(?:\.\w+)?(?::|$)/gm;

function modulesIn(file: string): ReadonlySet<string> | undefined {
  const text = textOf(file);
  if (text === undefined) return undefined;
  return new Set(Array.from(text.matchAll(MODULE_LINE), ([, name = '']) => plain(name)));
}

function barredModules(root: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const folder of MODPROBE_FOLDERS.toReversed()) {
    const place = join(root, folder);
    for (const name of existsSync(place) ? readdirSync(place) : [])
      if (name.endsWith('.conf')) files.set(name, `${folder}/${name}`);
  }
  const barred = new Map<string, string>();
  for (const file of files.values()) {
    const text = textOf(join(root, file)) ?? '';
    // The kernel asks for a module by an alias, and those of a blacklisted one are ignored.
    for (const [, named, installed] of text.matchAll(
      /^\s*(?:blacklist\s+(\S+)|install\s+(\S+)\s+\S*\/(?:true|false)\b)/gm,
    ))
      barred.set(plain(named ?? installed ?? ''), file);
  }
  return barred;
}

const plain = (name: string) => name.replaceAll('-', '_');

function textOf(file: string): string | undefined {
  try {
    const bytes = readFileSync(file);
    return file.endsWith('.gz') ? gunzipSync(bytes).toString() : bytes.toString();
  } catch {
    return undefined; // not there, or not to be read: it says nothing then
  }
}
