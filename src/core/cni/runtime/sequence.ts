/**
 * A runtime's calls for a network list: who is called with what, in which order. Specification 1.1.0, section 3.
 * The sequences are pure; the functions at the end walk them with an injected ExecPlugin.
 */
import type { ExecPlugin } from '../ports.ts';
import {
  type CniCommand,
  type CniEnvironment,
  checkContainerId,
  checkInterfaceName,
} from '../spec/environment.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import { isJsonObject, type JsonObject } from '../spec/json.ts';
import type { AttachmentId } from '../spec/network-config.ts';
import { isAtLeast } from '../spec/version.ts';
import { executePlugin, type PluginRequest } from './execute.ts';
import type { NetworkList } from './network-list.ts';

/** What a runtime says about one attachment. */
export interface AttachmentParameters extends AttachmentId {
  readonly netns: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** CNI_PATH: directories, separated by colons. */
  readonly path: string;
  /** Capability arguments by capability; a plugin gets those its `capabilities` name. */
  readonly capabilityArgs?: JsonObject;
}

/** One call of a sequence, which lacks the result of the call before it. */
export interface PluginStep {
  readonly type: string;
  readonly environment: CniEnvironment;
  /** The request configuration; `prevResult` is undefined for the first ADD of a list. */
  request(prevResult: JsonObject | undefined): JsonObject;
}

/** The calls for ADD, in order: each gets the result of the one before. Throws CniError 3 or 4 for bad parameters. */
export function planNetworkAdd(list: NetworkList, parameters: AttachmentParameters): readonly PluginStep[] {
  const error = checkContainerId(parameters.containerId) ?? checkInterfaceName(parameters.ifName);
  if (error) throw error;
  return list.plugins.map((plugin) => stepFor(list, plugin, 'ADD', parameters));
}

/** The calls for DEL: in reverse order, each gets the final result of ADD (from 0.4.0 on). */
export function planNetworkDel(list: NetworkList, parameters: AttachmentParameters): readonly PluginStep[] {
  return list.plugins.map((plugin) => stepFor(list, plugin, 'DEL', parameters)).reverse();
}

/** The calls for CHECK: in order, each gets the final result of ADD. None if the list disables them or is older than 0.4.0. */
export function planNetworkCheck(list: NetworkList, parameters: AttachmentParameters): readonly PluginStep[] {
  if (list.disableCheck || !isAtLeast(list.cniVersion, '0.4.0')) return [];
  return list.plugins.map((plugin) => stepFor(list, plugin, 'CHECK', parameters));
}

/** The calls for GC. None if the list disables them or is older than 1.1.0. */
export function planNetworkGc(
  list: NetworkList,
  path: string,
  valid: readonly AttachmentId[],
): readonly PluginRequest[] {
  if (list.disableGc || !isAtLeast(list.cniVersion, '1.1.0')) return [];
  const attachments = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }));
  return list.plugins.map((plugin) => ({
    type: String(plugin['type']),
    environment: environmentOf('GC', { path }),
    request: {
      ...plugin,
      name: list.name,
      cniVersion: list.cniVersion,
      'cni.dev/valid-attachments': attachments,
      // Plugins built on early libcni read this key.
      'cni.dev/attachments': attachments,
    },
  }));
}

/** The calls for STATUS. None if the list is older than 1.1.0. */
export function planNetworkStatus(list: NetworkList, path: string): readonly PluginRequest[] {
  if (!isAtLeast(list.cniVersion, '1.1.0')) return [];
  return list.plugins.map((plugin) => ({
    type: String(plugin['type']),
    environment: environmentOf('STATUS', { path }),
    request: { ...plugin, name: list.name, cniVersion: list.cniVersion },
  }));
}

/** Runs the calls for ADD; resolves with the last result, as printed. The caller runs DEL if this rejects. */
export async function addNetwork(
  list: NetworkList,
  parameters: AttachmentParameters,
  exec: ExecPlugin,
  signal?: AbortSignal,
): Promise<JsonObject> {
  let result: JsonObject | undefined;
  for (const step of planNetworkAdd(list, parameters)) {
    result = resultOf(step, await execute(step, result, exec, signal), list.cniVersion);
  }
  return result ?? {};
}

/** What a plugin printed as its result. Where it states no version it is the configuration's. */
function resultOf({ type }: PluginStep, output: unknown, cniVersion: string): JsonObject {
  if (isJsonObject(output)) return { cniVersion, ...output };
  const found = output === undefined ? 'nothing' : JSON.stringify(output).slice(0, 60);
  throw new CniError(
    CNI_ERROR.decodingFailure,
    `plugin ${type} failed (ADD): it printed no result`,
    `it printed ${found} and ended with status 0`,
  );
}

/** Runs the calls for DEL with the result of ADD, if there is one. */
export async function delNetwork(
  list: NetworkList,
  parameters: AttachmentParameters,
  addResult: JsonObject | undefined,
  exec: ExecPlugin,
  signal?: AbortSignal,
): Promise<void> {
  for (const step of planNetworkDel(list, parameters)) await execute(step, addResult, exec, signal);
}

/** Runs the calls for CHECK with the result of ADD. */
export async function checkNetwork(
  list: NetworkList,
  parameters: AttachmentParameters,
  addResult: JsonObject,
  exec: ExecPlugin,
  signal?: AbortSignal,
): Promise<void> {
  for (const step of planNetworkCheck(list, parameters)) await execute(step, addResult, exec, signal);
}

async function execute(
  step: PluginStep,
  prevResult: JsonObject | undefined,
  exec: ExecPlugin,
  signal?: AbortSignal,
): Promise<unknown> {
  const { type, environment } = step;
  try {
    return await executePlugin(exec, { type, environment, request: step.request(prevResult) }, signal);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    const msg = `plugin ${type} failed (${environment.command}): ${error.msg}`;
    throw new CniError(error.code, msg, error.details, { cause: error });
  }
}

function stepFor(
  list: NetworkList,
  plugin: JsonObject,
  command: CniCommand,
  parameters: AttachmentParameters,
): PluginStep {
  // Specification 0.4.0 was the first to pass prevResult on DEL.
  const takesPrevResult = command !== 'DEL' || isAtLeast(list.cniVersion, '0.4.0');
  return {
    type: String(plugin['type']),
    environment: environmentOf(command, parameters),
    request: (prevResult) => ({
      ...deriveRequest(list, plugin, parameters.capabilityArgs ?? {}),
      ...(takesPrevResult && prevResult !== undefined && { prevResult }),
    }),
  };
}

/** The request configuration of an attachment's call: everything as written, plus what the runtime inserts. */
function deriveRequest(list: NetworkList, plugin: JsonObject, capabilityArgs: JsonObject): JsonObject {
  const { capabilities, prevResult: _reserved, ...rest } = plugin;
  const wanted = isJsonObject(capabilities) ? capabilities : {};
  const granted = Object.entries(capabilityArgs).filter(([capability]) => wanted[capability] === true);
  return {
    ...rest,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(granted.length > 0 && { runtimeConfig: Object.fromEntries(granted) }),
  };
}

function environmentOf(
  command: CniCommand,
  parameters: { readonly path: string } & Partial<AttachmentParameters>,
): CniEnvironment {
  const { containerId = '', netns = '', ifName = '', args = '', path } = parameters;
  return { command, containerId, netns, ifName, args, path, netnsOverride: false };
}
