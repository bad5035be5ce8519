/** Another name for a link: RTM_SETLINK by its number. The link has to be down. */
import { encodeMessage } from '../message.ts';
import { linkMessage, RTM_LINK } from './link.ts';
import { AF } from './scope.ts';

export function encodeRenameLink(index: number, name: string): Uint8Array {
  const header = { family: AF.UNSPEC, deviceType: 0, index, flags: 0, change: 0 };
  return encodeMessage(linkMessage, {
    type: RTM_LINK.SET,
    flags: 0,
    payload: { ...header, attributes: { name } },
  });
}
