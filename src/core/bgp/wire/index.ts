/** BGP on the wire: messages, capabilities, attributes, UPDATEs and their errors. Pure: bytes and values. */

export { AttributeMemory } from './attribute-memory.ts';
export type { UpdateContext, UpdateFault } from './attributes.ts';
export {
  type AddPathAbility,
  type Capabilities,
  type LongLivedAbility,
  type RawCapability,
  type RestartAbility,
  readCapabilities,
  writeCapabilities,
} from './capabilities.ts';
export { isMessageError, MessageError, type Notification } from './error.ts';
export { familyOfNumbers, numbersOf } from './family.ts';
export { MessageFramer } from './framer.ts';
export {
  decodeMessage,
  encodeMessage,
  HEADER_BYTES,
  MAX_EXTENDED_BYTES,
  MAX_MESSAGE_BYTES,
  type Message,
} from './message.ts';
export {
  ceaseOf,
  describeNotification,
  hardResetOf,
  isHardReset,
  notificationOf,
  shutdownText,
} from './notification.ts';
export { CEASE, ERROR, OPEN_ERROR, STATE_MACHINE_ERROR } from './notification-table.ts';
export { AS_TRANS, type Open } from './open.ts';
export type { Refresh } from './refresh.ts';
export { encodePrefix, encodeTableAttributes } from './table-attributes.ts';
export { type DecodedUpdate, UpdateDecoder } from './update-decoder.ts';
export { type EncodedUpdate, encodeEndOfRib, encodeUpdate, encodeWithdrawal } from './update-encoder.ts';
