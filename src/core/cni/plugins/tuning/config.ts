/** The keys of the tuning plugin, those of the reference plugin: sysctl, mac, promisc, mtu, allmulti, txQLen, dataDir; `args.cni` wins. */
import { z } from 'zod';
import type { MacAddress } from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { folderField } from '../../spec/fields.ts';
import { decodeWith } from '../../spec/json.ts';
import { podMacAsked } from '../attachment.ts';
import type { PluginCall } from '../definition.ts';

/** Where an administrator lists what may be set: a regular expression a line. Without the file anything below net may. */
export const ALLOWLIST = '/etc/cni/tuning/allowlist.conf';
export const DATA_DIR = '/run/cni/tuning';

export interface TuningConfig {
  /** Values by path below /proc/sys. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** The same by key as written, which the allowlist is about. */
  readonly sysctlKeys: readonly string[];
  readonly mac?: MacAddress;
  /** Only ever switched on. */
  readonly promiscuous?: true;
  readonly mtuBytes?: number;
  readonly allMulticast?: boolean;
  readonly transmitQueueLength?: number;
  /** Where the values to go back to are kept. */
  readonly dataDir: string;
}

const settings = {
  sysctl: z.record(z.string(), z.string()).optional(),
  promisc: z.boolean().optional(),
  mtu: z.int().min(0).max(65535).optional(),
  allmulti: z.boolean().optional(),
  txQLen: z.int().min(0).max(0xffff_ffff).optional(),
};

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  ...settings,
  dataDir: folderField.default(''),
  args: z.looseObject({ cni: z.looseObject(settings).optional() }).optional(),
});

/** Throws CniError 7 for a wrong value or a sysctl outside net, 4 for bad CNI_ARGS. */
export function parseTuningConfig(call: Omit<PluginCall, 'facts'>): TuningConfig {
  const { network, environment } = call;
  const keys = decodeWith(schema, network.json, 'invalid network config');
  const fromArgs = keys.args?.cni;
  const asked = { ...keys, ...withoutUndefined(fromArgs), sysctl: { ...keys.sysctl, ...fromArgs?.sysctl } };
  const mac = podMacAsked(call);
  return {
    sysctls: new Map(
      Object.entries(asked.sysctl).map(([key, value]) => [sysctlPath(key, environment.ifName), value]),
    ),
    sysctlKeys: Object.keys(asked.sysctl),
    dataDir: keys.dataDir === '' ? DATA_DIR : keys.dataDir,
    ...(mac !== undefined && { mac }),
    ...(asked.promisc === true && { promiscuous: true }),
    ...(asked.mtu && { mtuBytes: asked.mtu }),
    ...(asked.allmulti !== undefined && { allMulticast: asked.allmulti }),
    ...(asked.txQLen !== undefined && { transmitQueueLength: asked.txQLen }),
  };
}

/** Throws CniError 7 that names the first sysctl the administrator does not allow. */
export function requireAllowed({ sysctlKeys }: TuningConfig, allowlist: string | undefined): void {
  if (allowlist === undefined) return;
  const patterns = allowlist
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  for (const key of sysctlKeys) {
    if (patterns.some((pattern) => matches(pattern, key))) continue;
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      `sysctl ${key} is not allowed`,
      `${ALLOWLIST} allows ${patterns.join(' ') || 'nothing'}`,
    );
  }
}

function matches(pattern: string, key: string): boolean {
  try {
    return new RegExp(pattern).test(key);
  } catch {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      `${ALLOWLIST}: ${JSON.stringify(pattern)} is no regular expression`,
    );
  }
}

/** A key with dots, or with slashes where a name holds dots; IFNAME in it is the container's interface. */
function sysctlPath(key: string, ifName: string): string {
  const path = (key.includes('/') ? key : key.replaceAll('.', '/')).replace('IFNAME', ifName);
  const parts = path.split('/');
  if (parts[0] === 'net' && parts.length > 2 && parts.every((part) => !['', '.', '..'].includes(part)))
    return path;
  throw new CniError(CNI_ERROR.invalidNetworkConfig, `invalid net sysctl key: ${JSON.stringify(key)}`);
}

function withoutUndefined<T extends object>(values: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
