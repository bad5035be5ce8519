/**
 * The two private namespaces in which the kernel is put to the test: two nodes of a real overlay, one of which masquerades the outer
 * packets it sends, as kube-proxy does to those that still carry the mark of an inner connection.
 */
import type { IpAddress, IpFamily, MacAddress } from '#base/ip/index.ts';
import { type KernelObject, type Link, OVERLAY } from '#core/kernel/index.ts';
import { act, field, match, type NftChain, rule } from '#core/nft/index.ts';
import {
  type OverlaySubnet,
  planLocal,
  planRemote,
  type VxlanSettings,
  vtepAddress,
  vtepMac,
  vxlanLinkName,
} from '#core/overlay/index.ts';

export type ProbeSide = 'sender' | 'receiver';

/** The link between the two namespaces has this name at both ends. */
export const PROBE_UNDERLAY = 'under0';
/** UDP port inside the tunnel. */
export const PROBE_PORT = 7118;
const VNI = 1;
const SETTINGS: VxlanSettings = {
  vni: VNI,
  port: 8472,
  learning: false,
  gbp: false,
  underlayMtuBytes: 1500,
  underlayLink: PROBE_UNDERLAY,
};
const HOST: Readonly<Record<ProbeSide, number>> = { sender: 1, receiver: 2 };
const SRCNAT_PRIORITY = 100;

/** A side's end of the link between the namespaces, which is to be up before the rest is made. */
export function planProbeLink(side: ProbeSide): Link & { readonly mac: MacAddress } {
  return {
    kind: 'link',
    name: PROBE_UNDERLAY,
    detail: { type: 'veth' },
    mac: `02:00:00:00:00:0${HOST[side]}`,
    addressGeneration: 'none',
    up: true,
  };
}

/** What a side needs beside its end of the link. The receiver never has to send anything, not even to make itself known. */
export function planProbeEnd(side: ProbeSide, families: readonly IpFamily[]): KernelObject[] {
  const other = side === 'sender' ? 'receiver' : 'sender';
  return [
    ...families.flatMap((family) => underlay(side, other, family)),
    ...planLocal(
      families.map((family) => subnet(side, family)),
      SETTINGS,
    ),
    ...families.flatMap((family) => planRemote(subnet(other, family), SETTINGS)),
    ...(side === 'sender' ? families.flatMap(masquerade) : []),
  ];
}

/** The chains of a plan that let outer packets bypass connection tracking. */
export function bypassChains(objects: readonly KernelObject[]): NftChain[] {
  return objects.filter(
    (object): object is NftChain =>
      object.kind === 'nft-chain' &&
      object.rules.some(({ expressions }) => expressions.some(({ op }) => op === 'notrack')),
  );
}

/** The VXLAN device of an outer family. */
export function probeLinkName(family: IpFamily): string {
  return vxlanLinkName(family, VNI);
}

/** A side's address inside the tunnel. */
export function probeVtep(side: ProbeSide, family: IpFamily): IpAddress {
  return vtepAddress(subnet(side, family).subnet);
}

function subnet(side: ProbeSide, family: IpFamily): OverlaySubnet {
  const host = HOST[side];
  return {
    node: side,
    family,
    subnet: family === 4 ? `198.18.${host}.0/24` : `fd00:${host}::/64`,
    publicIp: family === 4 ? `192.0.2.${host}` : `2001:db8::${host}`,
    vtepMac: vtepMac(side, family, VNI),
  };
}

function underlay(side: ProbeSide, other: ProbeSide, family: IpFamily): KernelObject[] {
  const link = PROBE_UNDERLAY;
  const address = `${subnet(side, family).publicIp}/${family === 4 ? 24 : 64}`;
  const { mac } = planProbeLink(other);
  return [
    { kind: 'address', link, address, noDad: true },
    { kind: 'neighbour', link, address: subnet(other, family).publicIp, mac, protocol: OVERLAY.protocol },
  ];
}

/** One table for each family: nat chains of inet tables came with Linux 5.2 only. */
function masquerade(family: IpFamily): KernelObject[] {
  const place = { family: family === 4 ? 'ip' : 'ip6', table: 'probe' } as const;
  const parts = [match.is(field.dport('udp'), SETTINGS.port), act.masquerade({ flags: ['fully-random'] })];
  return [
    { kind: 'nft-table', family: place.family, name: place.table },
    {
      kind: 'nft-chain',
      ...place,
      name: 'postrouting',
      hook: { hook: 'postrouting', priority: SRCNAT_PRIORITY, type: 'nat', policy: 'accept' },
      rules: [rule(place.family, parts)],
    },
  ];
}
