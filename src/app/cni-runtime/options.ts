/** The options that the runtime commands share, with cnitool's environment variables behind them. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import {
  type AttachmentWish,
  CNI_CACHE_DIR,
  type JsonObject,
  NetworkRuntime,
  parseJsonObject,
} from '#core/cni/index.ts';
import { createExecPlugin } from '#io/cni/exec/index.ts';
import { cacheFolder } from '#io/cni/runtime-files/index.ts';
import { messageOf, note, UsageError } from './output.ts';

export interface RuntimeFlags {
  readonly confDir: string;
  readonly cniPath: string;
  readonly cacheDir: string;
  readonly timeout: string;
  readonly json?: boolean;
}

export interface AttachmentFlags extends RuntimeFlags {
  readonly args?: string;
  readonly capArgs?: string;
  readonly ifname: string;
  readonly containerId?: string;
}

export const CONF_DIR = '/etc/cni/net.d';
/** Where we install, and where Debian's reference plugins are. */
const CNI_PATH = '/opt/cni/bin:/usr/lib/cni';

export function confDirOption(): Option {
  return new Option('--conf-dir <dir>', 'folder of network configurations')
    .env('NETCONFPATH')
    .default(CONF_DIR);
}

export function cacheDirOption(): Option {
  return new Option('--cache-dir <dir>', "the runtime's records, as libcni keeps them").default(
    CNI_CACHE_DIR,
  );
}

/** Adds the options of every command that calls plugins. */
export function withRuntimeOptions(command: Command): Command {
  return command
    .addOption(confDirOption())
    .addOption(
      new Option('--cni-path <dirs>', 'folders of plugins, separated by colons')
        .env('CNI_PATH')
        .default(CNI_PATH),
    )
    .addOption(cacheDirOption())
    .option('--timeout <seconds>', 'for each plugin; then it is killed', '120')
    .option('--json', 'print JSON');
}

/** Adds the options that say which attachment. */
export function withAttachmentOptions(command: Command): Command {
  return withRuntimeOptions(command)
    .addOption(
      new Option('--ifname <name>', 'the interface in the container').env('CNI_IFNAME').default('eth0'),
    )
    .addOption(new Option('--args <pairs>', 'KEY=VALUE;KEY=VALUE for the plugins').env('CNI_ARGS'))
    .addOption(
      new Option('--cap-args <json>', 'capability arguments, such as {"portMappings": […]}').env('CAP_ARGS'),
    )
    .option('--container-id <id>', "the container; else cnitool's, made of the namespace's path");
}

/** The runtime the options ask for; what plugins print on standard error goes to ours. */
export function runtimeOf({ cniPath, cacheDir, timeout }: RuntimeFlags): NetworkRuntime {
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 86_400))
    throw new UsageError(`--timeout: "${timeout}" is not a number of seconds from 1 to 86400`);
  const exec = createExecPlugin({
    timeoutMs: seconds * 1000,
    environment: ownVariables(),
    onStderr: (type, text) => note(`${type}: ${text.trimEnd()}`),
  });
  return new NetworkRuntime({ exec, cache: cacheFolder(cacheDir), path: cniPath });
}

/** Our client finds an agent by these. */
function ownVariables(): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith('POPLIN_CNI_'));
  return Object.fromEntries(own.map(([name, value]) => [name, value ?? '']));
}

/** The attachment the options and the namespace's path name; throws UsageError for what cannot be read. */
export function attachmentOf(flags: AttachmentFlags, netns: string): AttachmentWish {
  const path = resolve(netns);
  return {
    containerId: flags.containerId ?? cnitoolContainerId(path),
    ifName: flags.ifname,
    netns: path,
    ...(flags.args && { args: parsePairs(flags.args) }),
    ...(flags.capArgs && { capabilityArgs: parseCapabilityArgs(flags.capArgs) }),
  };
}

/** cnitool's container id: what one of the two attached, the other finds. */
export function cnitoolContainerId(netnsPath: string): string {
  return `cnitool-${createHash('sha512').update(netnsPath).digest('hex').slice(0, 20)}`;
}

function parsePairs(text: string): [string, string][] {
  return text.split(';').map((pair): [string, string] => {
    const [key, value, ...more] = pair.split('=');
    if (key && value && more.length === 0) return [key, value];
    throw new UsageError(`--args (CNI_ARGS): invalid pair "${pair}": write KEY=VALUE;KEY=VALUE`);
  });
}

function parseCapabilityArgs(text: string): JsonObject {
  try {
    return parseJsonObject(text, 'capability arguments');
  } catch (error) {
    throw new UsageError(`--cap-args (CAP_ARGS): ${messageOf(error)}`);
  }
}
