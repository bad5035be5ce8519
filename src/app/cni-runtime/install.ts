/** `poplin cni install` and `poplin cni uninstall`. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { PLUGIN_TYPES, validateNetwork } from '#core/cni/index.ts';
import { formatProblem } from '#core/config/index.ts';
import { addonPath } from '#io/native/index.ts';
import { install, type Placed, uninstall } from './installation.ts';
import { confDirOption } from './options.ts';
import { note, print, reported, UsageError } from './output.ts';
import { readConfig } from './validate.ts';

const MANIFEST = '/var/lib/poplin/cni-install.json';
const BIN_DIR = '/opt/cni/bin';
/** Folders whose files a package of the distribution owns, and writes again. */
const PACKAGED = ['/usr/lib/cni', '/usr/libexec/cni'];
const DEFAULT_CONF = '10-poplin.conflist';

interface InstallFlags {
  readonly binDir: string;
  readonly confDir: string;
  /** A path, or false with --no-conf. */
  readonly conf?: string | boolean;
  readonly manifest: string;
  readonly replace?: boolean;
  readonly json?: boolean;
}

export function installCommand(): Command {
  return new Command('install')
    .description('Put the plugins on this host, and a network configuration.')
    .option('--bin-dir <dir>', 'folder of plugins', BIN_DIR)
    .addOption(confDirOption())
    .option(
      '--conf <file>',
      `the configuration to install; else one of the plugin poplin, as ${DEFAULT_CONF}`,
    )
    .option('--no-conf', 'install no configuration')
    .option('--replace', 'displace files of others; uninstall puts them back')
    .option('--manifest <file>', 'where it is kept what was installed', MANIFEST)
    .option('--json', 'print a JSON array: path, done, displaced')
    .addHelpText(
      'after',
      `
Examples:
  poplin cni install
  poplin cni install --no-conf --bin-dir /usr/local/lib/cni
  poplin cni install --conf /etc/poplin/20-bridge.conflist --replace

Every file is put in place in one step, the configuration last, so that a runtime never finds half of it. A plugin that
runs goes on. Repeat the command after an upgrade, or if it was interrupted.
Exit status: 0 done, 2 refused, and nothing was changed.`,
    )
    .action((flags: InstallFlags) => reported('install', flags.json, () => runInstall(flags)));
}

async function runInstall(flags: InstallFlags): Promise<void> {
  const binDir = resolve(flags.binDir);
  const configuration = flags.conf === false ? undefined : await configurationOf(flags);
  if (PACKAGED.includes(binDir))
    note(
      `poplin cni install: an upgrade of the distribution's package writes its own plugins to ${binDir} again: ${BIN_DIR} is safer`,
    );
  const placed = await reachable(() =>
    install({
      manifestPath: resolve(flags.manifest),
      binDir,
      types: PLUGIN_TYPES,
      client: join(dirname(addonPath()), 'poplin-cni'),
      ...(configuration !== undefined && { configuration }),
      replace: flags.replace ?? false,
    }),
  );
  if (configuration !== undefined) await noteRivals(configuration.path);
  print(flags.json, placed, placed.map(line).join(''));
}

async function configurationOf({ conf, confDir }: InstallFlags): Promise<{ path: string; text: string }> {
  if (typeof conf !== 'string')
    return { path: join(resolve(confDir), DEFAULT_CONF), text: defaultConfiguration() };
  const text = await readConfig(conf);
  const { problems } = validateNetwork(text, conf);
  if (problems.length > 0)
    throw new UsageError(
      `${conf} cannot work, nothing was changed:\n${problems.map(formatProblem).join('\n')}`,
    );
  return { path: join(resolve(confDir), basename(conf)), text };
}

/** A network of the plugin poplin; ports of the host are served where the release has the plugin for it. */
function defaultConfiguration(): string {
  const portmap = PLUGIN_TYPES.includes('portmap')
    ? [{ type: 'portmap', capabilities: { portMappings: true } }]
    : [];
  const list = {
    cniVersion: '1.0.0',
    cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
    name: 'poplin',
    plugins: [{ type: 'poplin' }, ...portmap],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/** Runtimes take the first configuration by name: one that comes before ours wins. */
async function noteRivals(path: string): Promise<void> {
  const names = await readdir(dirname(path));
  const first = names.filter((name) => /^[^.].*\.(conflist|conf|json)$/.test(name)).sort()[0];
  if (first !== undefined && first !== basename(path))
    note(
      `poplin cni install: ${first} comes before ${basename(path)}: runtimes that take the first configuration take that one`,
    );
}

interface UninstallFlags {
  readonly manifest: string;
  readonly json?: boolean;
}

export function uninstallCommand(): Command {
  return new Command('uninstall')
    .description('Take back what install put on this host.')
    .option('--manifest <file>', 'where it is kept what was installed', MANIFEST)
    .option('--json', 'print a JSON array: path, done, displaced')
    .addHelpText(
      'after',
      `
Example:
  poplin cni uninstall

The configuration goes first, then the plugins; files that install displaced are put back. A file that somebody else has
changed since is left as it is. Remove the pods before: without its plugin a runtime cannot. Exit status: 0 done, or
nothing was installed.`,
    )
    .action((flags: UninstallFlags) =>
      reported('uninstall', flags.json, async () => {
        const placed = await reachable(() => uninstall(resolve(flags.manifest)));
        const text = placed === undefined ? 'nothing is installed\n' : placed.map(line).join('');
        print(flags.json, placed ?? [], text);
      }),
    );
}

/** What the disk refuses is told in one line, and can be repeated. */
async function reachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new UsageError(`${error.message}. Repeat the command when that is mended: it goes on where it was`);
  }
}

function line({ path, done, displaced }: Placed): string {
  return `${path}: ${done}${displaced === undefined ? '' : ` (the former file: ${displaced})`}\n`;
}
