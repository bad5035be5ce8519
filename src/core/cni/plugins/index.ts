export { podRoute } from './attachment.ts';
export { checkAttachment, linksToCollect, requirePrevResult } from './check.ts';
export type {
  AddPlan,
  DelPlan,
  FactsWanted,
  FileChange,
  InterfacePlugin,
  IpamChoice,
  LinkMove,
  NodeFacts,
  PluginCall,
  PreparedAdd,
  StaleFlows,
} from './definition.ts';
export { type DhcpConfig, dhcpResult, optionsOfClient } from './dhcp/index.ts';
export {
  type DelegateConfig,
  delegateOfCall,
  encodeSavedDelegate,
  FLANNEL_TYPE,
  parseFlannelConfig,
  parseFlannelPlaces,
  parseSavedDelegate,
  parseSavedName,
  planDelegate,
  planUnsavedDelegate,
  type SavedFor,
  type SavedPaths,
  type SubnetFacts,
  savedPaths,
  USUAL_INTERFACE,
} from './flannel/index.ts';
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
export {
  chooseIpam,
  chooseOwnIpam,
  type Ipam,
  type IpamPorts,
  isOwnIpam,
  openIpam,
  openIpamToGiveBack,
} from './ipam.ts';
export {
  checkReferenceRules,
  collectReferenceRules,
  type IptablesListing,
  type IptablesRule,
  optionOf,
  parseListing,
  type ReferenceRules,
  removeReferenceRules,
  targetOf,
} from './reference-rules/index.ts';
export { aboutPlugin, INTERFACE_PLUGINS, PLUGIN_TYPES } from './registry.ts';
