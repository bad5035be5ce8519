/** Messages of an established session, both ways. */
import type { SessionSend } from '../ports.ts';
import {
  encodeEndOfRib,
  encodeUpdate,
  encodeWithdrawal,
  familyOfNumbers,
  isMessageError,
  numbersOf,
  type Refresh,
} from '../wire/index.ts';
import { endConnection } from './ending.ts';
import { restartHold, restartKeepalive } from './opened.ts';
import type { Turn } from './turn.ts';
import type { Connection } from './types.ts';

/** RFC 4271 section 8.2.2, events 27 and 28. */
export function onUpdate(turn: Turn, body: Uint8Array): void {
  const { decoder } = turn.state;
  if (decoder === undefined) return;
  let read: ReturnType<typeof decoder.decode>;
  try {
    read = decoder.decode(body);
  } catch (error) {
    if (!isMessageError(error)) throw error;
    const { notification, message } = error;
    return endConnection(turn, 'main', { by: 'us', notification, reason: message });
  }
  restartHold(turn);
  for (const fault of read.faults) turn.do({ type: 'fault', fault });
  for (const withdrawal of read.withdrawn) turn.tell({ type: 'withdrawn', withdrawal });
  for (const update of read.announced) turn.tell({ type: 'announced', update });
  if (read.endOfRib !== undefined) turn.tell({ type: 'end-of-rib', family: read.endOfRib });
}

/** RFC 2918 section 4: of a family that was not agreed it is ignored; RFC 7313 section 5: so are unknown subtypes. */
export function onRefresh(turn: Turn, { afi, safi, subtype }: Refresh): void {
  const family = familyOfNumbers(afi, safi);
  const agreed = turn.state.bargain?.agreed;
  if (family === undefined || agreed?.families.has(family) !== true) return;
  if (subtype !== 'request' && subtype !== 'begin' && subtype !== 'end') return;
  if (subtype !== 'request' && !agreed.hasEnhancedRefresh) return;
  turn.tell({ type: 'refresh', family, subtype });
}

/** What the tables want sent; nothing of it if the session has ended meanwhile. */
export function onSend(turn: Turn, send: SessionSend): void {
  const { main, phase } = turn.state;
  if (main === undefined || phase !== 'established') return;
  const messages = messagesOf(turn, main, send);
  for (const bytes of messages) turn.do({ type: 'send', connection: main.id, bytes });
  // RFC 4271 section 8.2.2: with each UPDATE the next KEEPALIVE has time again.
  if (messages.length > 0 && send.type !== 'refresh') restartKeepalive(turn);
}

function messagesOf(turn: Turn, connection: Connection, send: SessionSend): readonly Uint8Array[] {
  const agreed = turn.state.bargain?.agreed;
  if (agreed === undefined) return [];
  switch (send.type) {
    case 'withdraw':
      return agreed.families.has(send.withdrawal.family)
        ? encodeWithdrawal(send.withdrawal, agreed).messages
        : [];
    case 'announce': {
      const { family } = send.update;
      if (!agreed.families.has(family)) return [];
      const { messages, unsent } = encodeUpdate(send.update, agreed);
      if (unsent.length === 0) return messages;
      turn.do({ type: 'unsent', family, nlri: unsent });
      // RFC 4271 section 9.2: what cannot be told is not left at what was told before.
      return [...messages, ...encodeWithdrawal({ family, nlri: unsent }, agreed).messages];
    }
    case 'end-of-rib':
      return agreed.families.has(send.family) ? [encodeEndOfRib(send.family)] : [];
    case 'refresh': {
      const isSpoken = send.subtype === 'request' ? agreed.hasRouteRefresh : agreed.hasEnhancedRefresh;
      if (isSpoken && agreed.families.has(send.family))
        turn.send(connection, {
          type: 'refresh',
          refresh: { ...numbersOf(send.family), subtype: send.subtype },
        });
      return [];
    }
  }
}
