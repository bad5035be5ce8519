/** What a listener says to nfnetlink_log, and what it is told: logged packets as plain data. */
import type { ValueOf } from '#core/codec/index.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import {
  COPY_MODE,
  LOG_COMMAND,
  LOG_MESSAGE,
  logConfigMessage,
  logPacketMessage,
  NUMBERED,
} from './message.ts';

export interface LogListener {
  /** NFLOG group; one listener has it at a time. */
  readonly group: number;
  /** Of each packet, from its network header on. */
  readonly copyBytes: number;
  /** What the kernel gathers before it sends. */
  readonly bufferBytes: number;
  /** It sends no later than this, in milliseconds (rounded to hundredths of a second). */
  readonly delayMs: number;
}

export interface LoggedPacket {
  readonly group: number;
  /** The prefix of the rule that logged it. */
  readonly prefix: string;
  /** From the network header on, cut. */
  readonly payload: Uint8Array;
  /** ETH_P_*. */
  readonly etherType?: number;
  readonly mark: number;
  /** By index. */
  readonly inputLink?: number;
  readonly outputLink?: number;
  /** Of the socket that sent it, where that is one of this host. */
  readonly uid?: number;
  /** Milliseconds since 1970, where the kernel noted them. */
  readonly atMs?: number;
  /** Of the packet in its group; a gap are packets lost. */
  readonly sequence?: number;
}

/** Takes the group. EPERM is the answer if another socket has it, or the right is missing. */
export function bindLogRequest({ group, copyBytes, bufferBytes, delayMs }: LogListener): Uint8Array {
  return config(group, {
    command: LOG_COMMAND.BIND,
    mode: { copyBytes, copyMode: COPY_MODE.PACKET },
    bufferBytes,
    timeout: Math.max(1, Math.round(delayMs / 10)),
    flags: NUMBERED,
  });
}

/** Gives the group back, as closing the socket does. */
export function unbindLogRequest(group: number): Uint8Array {
  return config(group, { command: LOG_COMMAND.UNBIND });
}

/** Throws DecodeError. */
export function decodeLoggedPacket(message: Uint8Array): LoggedPacket {
  const { group, attributes } = decodeMessage(logPacketMessage, message).payload;
  const { packet, mark, timestamp, inputLink, outputLink, payload, prefix, uid, sequence } = attributes;
  return {
    group,
    prefix: prefix ?? '',
    payload: payload ?? new Uint8Array(0),
    mark: mark ?? 0,
    ...(packet !== undefined && { etherType: packet.etherType }),
    ...(inputLink !== undefined && { inputLink }),
    ...(outputLink !== undefined && { outputLink }),
    ...(uid !== undefined && { uid }),
    ...(timestamp !== undefined && { atMs: milliseconds(timestamp) }),
    ...(sequence !== undefined && { sequence }),
  };
}

function config(group: number, attributes: ValueOf<typeof logConfigMessage>['attributes']): Uint8Array {
  return encodeMessage(logConfigMessage, {
    type: LOG_MESSAGE.CONFIG,
    flags: 0,
    payload: { family: 0, version: 0, group, attributes },
  });
}

function milliseconds({ seconds, microseconds }: { seconds: bigint; microseconds: bigint }): number {
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}
