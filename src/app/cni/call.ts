/** One call of a plugin, read: its configuration and environment, and the part of the desired state it is about. */
import {
  type Attachment,
  attachmentAlias,
  type CniEnvironment,
  type InterfacePlugin,
  type IpamChoice,
  type JsonObject,
  type NetworkConfig,
  parseNetworkConfig,
} from '#core/cni/index.ts';
import type { AttachmentRecord } from './host-side.ts';

export interface Call {
  readonly network: NetworkConfig;
  readonly environment: CniEnvironment;
}

/** What DEL needs, whatever has become of the rest: the name, and what `ipam` says if it can be read. Throws CniError 6, 7 or 1. */
export function parseNetworkToLeave(json: JsonObject): NetworkConfig {
  const { prevResult, dns: _unneeded, ipam, ...rest } = json;
  const isTyped =
    typeof ipam === 'object' && ipam !== null && 'type' in ipam && typeof ipam.type === 'string';
  const readable = { ...rest, ...(isTyped && { ipam }) };
  try {
    return { ...parseNetworkConfig({ ...readable, prevResult }), json };
  } catch {
    return { ...parseNetworkConfig(readable), json };
  }
}

export function attachmentOf({ network, environment }: Call): Attachment {
  return { network: network.name, containerId: environment.containerId, ifName: environment.ifName };
}

/** The part of the interface itself, by which turns are taken. */
export function attachmentPart(call: Call): string {
  return attachmentAlias(attachmentOf(call));
}

/** What parts of chained plugins begin with, given the interface's. */
export const CHAINED_MARK = '+';

/** The part of what a plugin does for the attachment. */
export function partOf(plugin: InterfacePlugin, call: Call): string {
  const part = attachmentPart(call);
  return plugin.chained === true ? `${part}${CHAINED_MARK}${plugin.type}` : part;
}

/** What is written down of an attachment before it is made. */
export function recordOf(plugin: InterfacePlugin, call: Call, ipam: IpamChoice): AttachmentRecord {
  return {
    part: partOf(plugin, call),
    attachment: attachmentOf(call),
    plugin: plugin.type,
    netns: call.environment.netns,
    ...(ipam.kind === 'host-local' && { dataDir: ipam.config.dataDir }),
  };
}

/** poplin's addresses come from host-local even where the configuration does not say so. */
export function ipamTypeOf(plugin: InterfacePlugin, network: NetworkConfig): string | undefined {
  if (plugin.chained === true) return undefined;
  return network.ipamType ?? (plugin.type === 'poplin' ? 'host-local' : undefined);
}
