export {
  INTERFACE_PLUGIN_KEYS,
  IPAM_PLUGIN_KEYS,
  type KeyTable,
  type PluginKeys,
  PROTOCOL_KEYS,
  type ValueKind,
} from './plugin-keys-table.ts';
export { type Findings, validateNetwork, validatePlugin } from './validate.ts';
