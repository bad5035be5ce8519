export { encodeCniArgs, KNOWN_CNI_ARGS, parseCniArgs } from './args.ts';
export { decodeResult } from './decode.ts';
export { encodeResult } from './encode.ts';
export {
  CNI_COMMANDS,
  type CniCommand,
  type CniEnvironment,
  checkContainerId,
  checkInterfaceName,
  checkNetworkName,
  encodeCniEnvironment,
  parseCniEnvironment,
} from './environment.ts';
export {
  CNI_ERROR,
  CniError,
  type CniErrorCode,
  type CniErrorJson,
  decodeError,
  encodeError,
  isCniError,
} from './error.ts';
export { type JsonObject, parseJson, parseJsonObject } from './json.ts';
export {
  type AttachmentId,
  type NetworkConfig,
  parseNetworkConfig,
  requireCommand,
  statedVersion,
} from './network-config.ts';
export {
  type CniDns,
  type CniInterface,
  type CniIp,
  type CniResult,
  type CniRoute,
  EMPTY_RESULT,
  nonEmptyDns,
} from './result.ts';
export {
  CNI_VERSIONS,
  type CniVersion,
  CURRENT_VERSION,
  compareVersions,
  DEFAULT_VERSION,
  isAtLeast,
  isCniVersion,
  reconcileVersion,
  selectVersion,
  type VersionReply,
  versionReply,
} from './version.ts';
