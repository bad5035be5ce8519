/**
 * Versions of the CNI specification: which we speak, how they compare, how one is chosen.
 * Specification 1.1.0, "Version considerations"; a version is matched exactly, never by range.
 */
import { CNI_ERROR, CniError } from './error.ts';

/** Every released version of the specification, oldest first. All plugins speak all of them. */
export const CNI_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

/** The newest version we speak. */
export const CURRENT_VERSION: CniVersion = '1.1.0';
/** What a configuration without `cniVersion` means. */
export const DEFAULT_VERSION: CniVersion = '0.1.0';

/** True for a version we speak. */
export function isCniVersion(text: string): text is CniVersion {
  return (CNI_VERSIONS as readonly string[]).includes(text);
}

/** Major, minor and patch; missing parts are 0. Undefined if the text is no version. */
export function parseVersion(text: string): readonly [number, number, number] | undefined {
  const match = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?$/.exec(text);
  return match ? [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)] : undefined;
}

/** Negative, zero or positive; throws CniError 6 if either is no version. */
export function compareVersions(a: string, b: string): number {
  const left = versionParts(a);
  const right = versionParts(b);
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** True from the version `least` on; throws CniError 6 if `version` is none. */
export function isAtLeast(version: string, least: CniVersion): boolean {
  return compareVersions(version, least) >= 0;
}

/** The version as one we speak; throws CniError 1 with the reference implementation's details text if it is not. */
export function reconcileVersion(version: string): CniVersion {
  if (isCniVersion(version)) return version;
  const supported = CNI_VERSIONS.map((each) => JSON.stringify(each)).join(' ');
  throw new CniError(
    CNI_ERROR.incompatibleVersion,
    'incompatible CNI versions',
    `config is ${JSON.stringify(version)}, plugin supports [${supported}]`,
  );
}

/**
 * The version a runtime uses for a network: the highest of `cniVersion` and `cniVersions` that is not above our own.
 * Without `cniVersions` it is `cniVersion` as it stands, or the default; throws CniError 6 if an entry is no version.
 */
export function selectVersion(cniVersion: string | undefined, cniVersions: readonly string[] = []): string {
  if (cniVersions.length === 0) return cniVersion ?? DEFAULT_VERSION;
  const offered = cniVersion === undefined ? cniVersions : [...cniVersions, cniVersion];
  const usable = offered.filter((version) => compareVersions(version, CURRENT_VERSION) <= 0);
  return usable.sort(compareVersions).at(-1) ?? cniVersion ?? DEFAULT_VERSION;
}

function versionParts(text: string): readonly [number, number, number] {
  const parts = parseVersion(text);
  if (parts === undefined)
    throw new CniError(CNI_ERROR.decodingFailure, `not a CNI version: ${JSON.stringify(text)}`);
  return parts;
}

/** What a plugin answers to VERSION. */
export interface VersionReply {
  readonly cniVersion: string;
  readonly supportedVersions: readonly CniVersion[];
}

/** The reply to VERSION: the asked version echoed (specification 1.1.0, "VERSION Success"), our newest if none was given. */
export function versionReply(asked?: unknown): VersionReply {
  const cniVersion = typeof asked === 'string' && parseVersion(asked) ? asked : CURRENT_VERSION;
  return { cniVersion, supportedVersions: CNI_VERSIONS };
}
