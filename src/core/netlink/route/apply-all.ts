/** Many notifications for a mirror, without those that the next one makes worthless. */
import { HEADER_BYTES, messageType } from '../message.ts';
import { RTM_LINK } from './link.ts';
import type { RouteMirror } from './mirror.ts';
import { AF } from './scope.ts';

/** ifi_family and ifi_index. */
const FAMILY_AT = HEADER_BYTES;
const INDEX_AT = HEADER_BYTES + 4;

/** Takes in messages in their order, as RouteMirror.apply does. Throws DecodeError. */
export function applyAll(mirror: RouteMirror, messages: readonly Uint8Array[]): void {
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at] as Uint8Array;
    if (!isSuperseded(mirror, message, messages[at + 1])) mirror.apply(message);
  }
}

/** A link that is made is told of several times in a row, whole each time: before the last of them nothing lies on it. */
function isSuperseded(mirror: RouteMirror, message: Uint8Array, next: Uint8Array | undefined): boolean {
  const index = newLinkIndex(message);
  if (index === undefined || next === undefined || newLinkIndex(next) !== index) return false;
  return mirror.nameOf(index) === undefined;
}

/** The number of the link that an RTM_NEWLINK tells of; undefined for other messages. */
function newLinkIndex(message: Uint8Array): number | undefined {
  if (messageType(message) !== RTM_LINK.NEW || message.length < INDEX_AT + 4) return undefined;
  if (message[FAMILY_AT] !== AF.UNSPEC) return undefined;
  return new DataView(message.buffer, message.byteOffset).getInt32(INDEX_AT, true);
}
