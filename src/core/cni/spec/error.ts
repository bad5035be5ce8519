/**
 * The one error a CNI operation ends with, and its form on standard output.
 * Specification 1.1.0, "Error": codes 0 to 99 are the specification's, 100 and above are ours.
 */

export const CNI_ERROR = {
  incompatibleVersion: 1,
  /** The message names the key and the value. */
  unsupportedField: 2,
  /** The container is unknown: the runtime need not clean up. */
  unknownContainer: 3,
  /** The message names the variables. */
  invalidEnvironment: 4,
  ioFailure: 5,
  decodingFailure: 6,
  invalidNetworkConfig: 7,
  /** From libcni: the plugin's own namespace was given as the container's. */
  invalidNetworkNamespace: 8,
  tryAgainLater: 11,
  /** ADD cannot be served (STATUS). */
  notAvailable: 50,
  /** ADD cannot be served, and existing containers may be cut off (STATUS). */
  limitedConnectivity: 51,
  /** Every address of a range set is taken. */
  addressesExhausted: 110,
  /** The container's interface holds an address already: ADD came twice without a DEL. */
  duplicateAllocation: 111,
  /** A requested address is taken, reserved or in no range. */
  addressUnavailable: 112,
  /** A link of the wanted name exists and cannot serve. */
  linkConflict: 113,
  /** CHECK found the attachment different from its result. */
  checkFailed: 114,
  /** From libcni: anything without a code of its own. */
  internal: 999,
} as const;

export type CniErrorCode = number;

/** A failed CNI operation. `details` is the longer text for people; the message is both. */
export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: CniErrorCode;
  readonly msg: string;
  readonly details: string;

  constructor(code: CniErrorCode, msg: string, details = '', options?: { readonly cause?: unknown }) {
    super(details === '' ? msg : `${msg}; ${details}`, options);
    this.code = code;
    this.msg = msg;
    this.details = details;
  }
}

/** True for a CniError, and one of this code if a code is given. */
export function isCniError(error: unknown, code?: CniErrorCode): error is CniError {
  return error instanceof CniError && (code === undefined || error.code === code);
}

/** The error object a plugin prints. */
export interface CniErrorJson {
  readonly cniVersion: string;
  readonly code: CniErrorCode;
  readonly msg: string;
  readonly details?: string;
}

/** Any thrown value as the error object; what is no CniError gets code 999. */
export function encodeError(error: unknown, cniVersion: string): CniErrorJson {
  if (isCniError(error)) {
    const { code, msg, details } = error;
    return { cniVersion, code, msg, ...(details !== '' && { details }) };
  }
  return {
    cniVersion,
    code: CNI_ERROR.internal,
    msg: error instanceof Error ? error.message : String(error),
  };
}

/** The error a plugin printed, or undefined if the value is no error object. */
export function decodeError(json: unknown): CniError | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { code, msg, details } = json as Partial<Record<keyof CniErrorJson, unknown>>;
  if (typeof code !== 'number') return undefined;
  return new CniError(code, typeof msg === 'string' ? msg : '', typeof details === 'string' ? details : '');
}
