export { checkAttachment, planGc } from './check.ts';
export type {
  AddPlan,
  DelPlan,
  InterfacePlugin,
  IpamChoice,
  NodeFacts,
  PluginCall,
  PreparedAdd,
} from './definition.ts';
export {
  type AddressRange,
  type Allocation,
  type AllocationInput,
  addHostLocal,
  allocate,
  checkHostLocal,
  countFree,
  HOST_LOCAL_DATA_DIR,
  type HostLocalConfig,
  parseHostLocalConfig,
  parseResolvConf,
  type RangeSet,
  statusHostLocal,
} from './host-local/index.ts';
export { type Attachment, attachmentAlias, networkAliasPrefix } from './identity.ts';
export { chooseIpam, type Ipam, type IpamPorts, openIpam, openIpamToGiveBack } from './ipam.ts';
export { aboutPlugin, INTERFACE_PLUGINS, IPAM_PLUGINS, PLUGIN_TYPES } from './registry.ts';
