/** The keys of the bridge plugin: those of the reference plugin. */
import { z } from 'zod';
import type { BridgeVlans } from '#core/kernel/index.ts';
import { checkInterfaceName } from '../../spec/environment.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';

export const DEFAULT_BRIDGE = 'cni0';

export interface BridgeConfig {
  readonly bridge: string;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  /** 0 leaves it to the kernel. */
  readonly mtu: number;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** What pods send out of their network gets the host's address. */
  readonly ipMasq: boolean;
  /** Duplicate address detection on the container's interface. */
  readonly enabledad: boolean;
  /** Frames of the container have its own MAC address as their source, or are dropped. */
  readonly macspoofchk: boolean;
  /** No frames between this container and others that are isolated. */
  readonly portIsolation: boolean;
  /** The container's interface is made, and left down. */
  readonly disableContainerInterface: boolean;
  /** The VLANs of the container's port; absent where VLANs play no part. */
  readonly vlans?: readonly BridgeVlans[];
}

const flag = z.boolean().default(false);

const vlanId = z.int().min(1).max(4094);
const trunk = z.looseObject({ id: vlanId.optional(), minID: vlanId.optional(), maxID: vlanId.optional() });

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  bridge: z.string().default(''),
  isGateway: flag,
  isDefaultGateway: flag,
  forceAddress: flag,
  mtu: z.int().min(0).max(65535).default(0),
  hairpinMode: flag,
  promiscMode: flag,
  ipMasq: flag,
  // Whichever is named, nf_tables does it.
  ipMasqBackend: z.enum(['', 'iptables', 'nftables']).default(''),
  enabledad: flag,
  macspoofchk: flag,
  portIsolation: flag,
  disableContainerInterface: flag,
  vlan: z.int().min(0).max(4094).default(0),
  vlanTrunk: z.array(trunk).default([]),
  preserveDefaultVlan: z.boolean().default(true),
});

/** The VLAN that the kernel puts new ports into. */
const DEFAULT_VLAN = 1;

/** Throws CniError 7 for a wrong value, and 2 for values that do not go together here. */
export function parseBridgeConfig(network: NetworkConfig): BridgeConfig {
  const keys = decodeWith(schema, network.json, 'invalid network config');
  const bridge = keys.bridge === '' ? DEFAULT_BRIDGE : keys.bridge;
  const nameError = checkInterfaceName(bridge);
  if (nameError) throw invalid(`bridge: ${JSON.stringify(bridge)}: ${nameError.msg}`);
  if (keys.hairpinMode && keys.promiscMode) {
    throw invalid('cannot set hairpin mode and promiscuous mode at the same time: choose one');
  }
  if (keys.disableContainerInterface && network.ipamType !== undefined) {
    throw invalid('cannot give addresses to a disabled interface: "disableContainerInterface" and "ipam"');
  }
  const { vlan, vlanTrunk, preserveDefaultVlan, ...rest } = keys;
  const vlans = vlansOf(vlan, vlanTrunk, preserveDefaultVlan);
  const isGateway = keys.isGateway || keys.isDefaultGateway;
  if (isGateway && vlan > 0) {
    throw new CniError(
      CNI_ERROR.unsupportedField,
      `unsupported field "vlan": ${vlan} with "isGateway"`,
      'the bridge itself is in no VLAN of its ports: let the gateway be on a VLAN link of your own, and leave "isGateway" out',
    );
  }
  return { ...rest, bridge, isGateway, ...(vlans !== undefined && { vlans }) };
}

/** An access port has one VLAN, untagged; a trunk several, tagged. The default VLAN stays beside them if it is to. */
function vlansOf(
  vlan: number,
  trunks: readonly z.output<typeof trunk>[],
  preserveDefault: boolean,
): readonly BridgeVlans[] | undefined {
  if (vlan > 0 && trunks.length > 0) throw invalid('cannot set vlan and vlanTrunk at the same time');
  const ranges = mergeRanges(trunks.flatMap(rangesOf));
  if (vlan === 0 && ranges.length === 0) return undefined;
  const access: BridgeVlans[] = vlan > 0 ? [{ from: vlan, pvid: true, untagged: true }] : [];
  const keepsDefault = preserveDefault && vlan !== DEFAULT_VLAN;
  const byDefault: BridgeVlans[] = keepsDefault
    ? [{ from: DEFAULT_VLAN, untagged: true, ...(vlan === 0 && { pvid: true }) }]
    : [];
  const tagged = keepsDefault ? withoutDefault(ranges) : ranges;
  return [...byDefault, ...access, ...tagged].sort((a, b) => a.from - b.from);
}

function rangesOf({ id, minID, maxID }: z.output<typeof trunk>, at: number): BridgeVlans[] {
  if ((minID === undefined) !== (maxID === undefined))
    throw invalid(`vlanTrunk[${at}]: minID and maxID should be configured together`);
  if (minID !== undefined && maxID !== undefined && minID > maxID)
    throw invalid(`vlanTrunk[${at}]: minID ${minID} is greater than maxID ${maxID}`);
  if (id === undefined && minID === undefined) throw invalid(`vlanTrunk[${at}]: it names no VLAN`);
  return [
    ...(minID === undefined
      ? []
      : [{ from: minID, ...(maxID !== undefined && maxID > minID && { to: maxID }) }]),
    ...(id === undefined ? [] : [{ from: id }]),
  ];
}

function mergeRanges(ranges: readonly BridgeVlans[]): BridgeVlans[] {
  const merged: { from: number; to: number }[] = [];
  for (const { from, to = from } of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged.map(({ from, to }) => (to > from ? { from, to } : { from }));
}

/** The default VLAN is untagged where it is kept. */
function withoutDefault(ranges: readonly BridgeVlans[]): BridgeVlans[] {
  return ranges.flatMap(({ from, to }) => {
    if (from !== DEFAULT_VLAN) return [{ from, ...(to !== undefined && { to }) }];
    if (to === undefined) return [];
    return [{ from: from + 1, ...(to > from + 1 && { to }) }];
  });
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
