/** The plugins by the name they are installed under. IPAM plugins make no interface: see ipam.ts. */
import { CNI_VERSIONS, CURRENT_VERSION } from '../spec/version.ts';
import { bandwidthPlugin } from './bandwidth/index.ts';
import { bridgePlugin } from './bridge/index.ts';
import type { InterfacePlugin } from './definition.ts';
import { dummyPlugin } from './dummy/index.ts';
import { firewallPlugin } from './firewall/index.ts';
import { FLANNEL_TYPE } from './flannel/index.ts';
import { hostDevicePlugin } from './host-device/index.ts';
import { IPAM_PLUGINS } from './ipam.ts';
import { loopbackPlugin } from './loopback/index.ts';
import { poplinPlugin } from './poplin/index.ts';
import { portmapPlugin } from './portmap/index.ts';
import { ptpPlugin } from './ptp/index.ts';
import { sbrPlugin } from './sbr/index.ts';
import { ipvlanPlugin, macvlanPlugin, vlanPlugin } from './stacked/index.ts';
import { tapPlugin } from './tap/index.ts';
import { tuningPlugin } from './tuning/index.ts';
import { vrfPlugin } from './vrf/index.ts';

export const INTERFACE_PLUGINS: ReadonlyMap<string, InterfacePlugin> = new Map(
  [
    bandwidthPlugin,
    bridgePlugin,
    dummyPlugin,
    firewallPlugin,
    hostDevicePlugin,
    ipvlanPlugin,
    loopbackPlugin,
    macvlanPlugin,
    poplinPlugin,
    portmapPlugin,
    ptpPlugin,
    sbrPlugin,
    tapPlugin,
    tuningPlugin,
    vlanPlugin,
    vrfPlugin,
  ].map((plugin) => [plugin.type, plugin]),
);

/** Plugins that leave the work to another, with a configuration of theirs. */
const META_PLUGINS = [FLANNEL_TYPE];

/** Every name we answer to. */
export const PLUGIN_TYPES: readonly string[] = [
  ...INTERFACE_PLUGINS.keys(),
  ...IPAM_PLUGINS,
  ...META_PLUGINS,
].sort();

/** What a plugin prints on standard error when it is started without CNI_COMMAND. */
export function aboutPlugin(type: string, release: string): string {
  return `CNI plugin ${type} of Poplin ${release} (CNI ${CURRENT_VERSION})\nCNI protocol versions supported: ${CNI_VERSIONS.join(', ')}\n`;
}
