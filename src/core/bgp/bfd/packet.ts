/** BFD control packets (RFC 5880 section 4.1), without authentication. */
import { type Codec, DecodeError, decodeAll, encodeAll, struct, u8, u32be } from '#core/codec/index.ts';

const STATES = ['admin-down', 'down', 'init', 'up'] as const;
export type BfdPhase = (typeof STATES)[number];

/** Why a session went down (RFC 5880 section 4.1), by number. */
export const BFD_DIAGNOSTICS = [
  'no diagnostic',
  'control detection time expired',
  'echo function failed',
  'neighbor signaled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
] as const;

export const DIAGNOSTIC = { none: 0, expired: 1, neighborDown: 3, adminDown: 7 } as const;

export interface BfdPacket {
  readonly phase: BfdPhase;
  readonly diagnostic: number;
  readonly isPoll: boolean;
  readonly isFinal: boolean;
  /** The sender's forwarding does not share its fate (the C bit). */
  readonly isIndependent: boolean;
  readonly isDemand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly requiredMinEchoRxUs: number;
}

const VERSION = 1;
const PACKET_BYTES = 24;
const POLL = 0x20;
const FINAL = 0x10;
const INDEPENDENT = 0x08;
const AUTHENTICATED = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/** The mandatory section. */
export const bfdCodec: Codec<Fields> = struct({
  versionAndDiagnostic: u8,
  stateAndFlags: u8,
  detectMultiplier: u8,
  length: u8,
  myDiscriminator: u32be,
  yourDiscriminator: u32be,
  desiredMinTxUs: u32be,
  requiredMinRxUs: u32be,
  requiredMinEchoRxUs: u32be,
});

interface Fields
  extends Pick<
    BfdPacket,
    | 'detectMultiplier'
    | 'myDiscriminator'
    | 'yourDiscriminator'
    | 'desiredMinTxUs'
    | 'requiredMinRxUs'
    | 'requiredMinEchoRxUs'
  > {
  readonly versionAndDiagnostic: number;
  readonly stateAndFlags: number;
  readonly length: number;
}

/** Throws DecodeError for what RFC 5880 section 6.8.6 has discarded, whoever it is for. */
export function decodeBfd(bytes: Uint8Array): BfdPacket {
  const fields = decodeAll(bfdCodec, bytes.subarray(0, PACKET_BYTES));
  const { versionAndDiagnostic, stateAndFlags, length, ...rest } = fields;
  const refuse = (field: string, reason: string, offset: number): never => {
    throw new DecodeError(reason, offset, field);
  };
  if (versionAndDiagnostic >> 5 !== VERSION) refuse('version', `version ${versionAndDiagnostic >> 5}`, 0);
  if (length < PACKET_BYTES || length > bytes.length)
    refuse('length', `length ${length} of ${bytes.length}`, 3);
  if (rest.detectMultiplier === 0) refuse('detectMultiplier', 'detect multiplier 0', 2);
  if ((stateAndFlags & MULTIPOINT) !== 0) refuse('stateAndFlags', 'multipoint', 1);
  if ((stateAndFlags & AUTHENTICATED) !== 0) refuse('stateAndFlags', 'authenticated', 1);
  if (rest.myDiscriminator === 0) refuse('myDiscriminator', 'discriminator 0', 4);
  const phase = STATES[stateAndFlags >> 6] as BfdPhase;
  // Without our discriminator it can only be a beginning.
  if (rest.yourDiscriminator === 0 && phase !== 'down' && phase !== 'admin-down')
    refuse('yourDiscriminator', `discriminator 0 in ${phase}`, 8);
  return {
    ...rest,
    phase,
    diagnostic: versionAndDiagnostic & 0x1f,
    isPoll: (stateAndFlags & POLL) !== 0,
    isFinal: (stateAndFlags & FINAL) !== 0,
    isIndependent: (stateAndFlags & INDEPENDENT) !== 0,
    isDemand: (stateAndFlags & DEMAND) !== 0,
  };
}

export function encodeBfd(packet: BfdPacket): Uint8Array {
  const { phase, diagnostic, isPoll, isFinal, isIndependent, isDemand, ...rest } = packet;
  return encodeAll(bfdCodec, {
    ...rest,
    versionAndDiagnostic: (VERSION << 5) | diagnostic,
    stateAndFlags:
      (STATES.indexOf(phase) << 6) |
      (isPoll ? POLL : 0) |
      (isFinal ? FINAL : 0) |
      (isIndependent ? INDEPENDENT : 0) |
      (isDemand ? DEMAND : 0),
    length: PACKET_BYTES,
  });
}
