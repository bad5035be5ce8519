/**
 * The environment a runtime calls a plugin with: which variables each command needs, and what they may hold.
 * Specification 1.1.0, "Parameters"; CNI_PATH is demanded as the reference implementation demands it.
 */
import { utf8 } from '#base/bytes.ts';
import { CNI_ERROR, CniError } from './error.ts';

export const CNI_COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type CniCommand = (typeof CNI_COMMANDS)[number];

/** The variables of one call; '' where the runtime gave none. */
export interface CniEnvironment {
  readonly command: CniCommand;
  readonly containerId: string;
  /** Path of the container's network namespace. */
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS as given: see parseCniArgs. */
  readonly args: string;
  /** Directories to look for plugins in, separated by colons. */
  readonly path: string;
  /** The container's namespace may be the plugin's own. */
  readonly netnsOverride: boolean;
}

type Check = (text: string) => CniError | undefined;

interface Variable {
  readonly name: string;
  readonly neededBy: readonly string[];
  readonly check?: Check;
}

const VARIABLES: readonly Variable[] = [
  { name: 'CNI_CONTAINERID', neededBy: ['ADD', 'CHECK', 'DEL'], check: checkContainerId },
  { name: 'CNI_NETNS', neededBy: ['ADD', 'CHECK'] },
  { name: 'CNI_IFNAME', neededBy: ['ADD', 'CHECK', 'DEL'], check: checkInterfaceName },
  { name: 'CNI_PATH', neededBy: ['ADD', 'CHECK', 'DEL', 'GC', 'STATUS'] },
];

const NAME_CHARACTERS = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const INTERFACE_NAME_BYTES = 15;

/** Reads and checks the CNI_ variables; throws CniError 4 that names all missing ones at once, or the one that is wrong. */
export function parseCniEnvironment(env: Readonly<Record<string, string | undefined>>): CniEnvironment {
  const command = env['CNI_COMMAND'] ?? '';
  const missing = command === '' ? ['CNI_COMMAND'] : [];
  for (const { name, neededBy, check } of VARIABLES) {
    if (!neededBy.includes(command)) continue;
    const value = env[name] ?? '';
    if (value === '') missing.push(name);
    const error = value === '' ? undefined : check?.(value);
    if (error) throw error;
  }
  if (missing.length > 0) {
    throw new CniError(CNI_ERROR.invalidEnvironment, `required env variables [${missing.join(',')}] missing`);
  }
  if (!isCommand(command))
    throw new CniError(CNI_ERROR.invalidEnvironment, `unknown CNI_COMMAND: ${command}`);
  return {
    command,
    containerId: env['CNI_CONTAINERID'] ?? '',
    netns: env['CNI_NETNS'] ?? '',
    ifName: env['CNI_IFNAME'] ?? '',
    args: env['CNI_ARGS'] ?? '',
    path: env['CNI_PATH'] ?? '',
    netnsOverride: /^(1|true)$/i.test(env['CNI_NETNS_OVERRIDE'] ?? ''),
  };
}

/** The variables as a runtime sets them; the inverse of parseCniEnvironment. Empty ones are left out. */
export function encodeCniEnvironment(environment: CniEnvironment): Readonly<Record<string, string>> {
  const { command, containerId, netns, ifName, args, path, netnsOverride } = environment;
  const all = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifName,
    CNI_ARGS: args,
    CNI_PATH: path,
    CNI_NETNS_OVERRIDE: netnsOverride ? '1' : '',
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

/** The error for a bad container id, or undefined. */
export function checkContainerId(id: string): CniError | undefined {
  if (id === '') return new CniError(CNI_ERROR.unknownContainer, 'missing containerID');
  if (NAME_CHARACTERS.test(id)) return undefined;
  return new CniError(
    CNI_ERROR.invalidEnvironment,
    'invalid characters in containerID',
    `CNI_CONTAINERID is ${JSON.stringify(id)}; it starts with a letter or digit and goes on with those, _ . and -`,
  );
}

/** The error for a bad network name, or undefined. */
export function checkNetworkName(name: string): CniError | undefined {
  if (name === '') return new CniError(CNI_ERROR.invalidNetworkConfig, 'missing network name');
  if (NAME_CHARACTERS.test(name)) return undefined;
  return new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'invalid characters found in network name',
    `"name" is ${JSON.stringify(name)}; it starts with a letter or digit and goes on with those, _ . and -`,
  );
}

/** The error for a name the kernel would not take, or undefined. */
export function checkInterfaceName(name: string): CniError | undefined {
  const problem = (msg: string) =>
    new CniError(CNI_ERROR.invalidEnvironment, msg, `CNI_IFNAME is ${JSON.stringify(name)}`);
  if (name === '') return problem('interface name is empty');
  if (utf8(name).length > INTERFACE_NAME_BYTES) {
    return problem(`interface name is too long: more than ${INTERFACE_NAME_BYTES} bytes`);
  }
  if (name === '.' || name === '..') return problem('interface name is . or ..');
  if (/[/:\s]/.test(name)) return problem('interface name contains / or : or whitespace characters');
  return undefined;
}

function isCommand(text: string): text is CniCommand {
  return (CNI_COMMANDS as readonly string[]).includes(text);
}
