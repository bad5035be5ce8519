/** The names that the reference plugins (containernetworking/plugins 0.8 to 1.9) give to chains, and the comments by which their rules are told apart. */
import { sha512Hex } from '#base/sha512.ts';

/** What the rules of one attachment are named after. */
export interface RuleOwner {
  readonly network: string;
  readonly containerId: string;
}

/** Chains of iptables are 28 characters long, a digest's hexadecimal digits behind the prefix. */
function chainName(prefix: string, { network, containerId }: RuleOwner): string {
  return `CNI-${prefix}${sha512Hex(network + containerId)}`.slice(0, 28);
}

export const masqueradeChain = (owner: RuleOwner): string => chainName('', owner);
export const portmapChain = (owner: RuleOwner): string => chainName('DN-', owner);
/** Made by releases before 0.8, beside the other. */
export const oldPortmapChain = (owner: RuleOwner): string => chainName('SN-', owner);

/** What begins the comment of each rule that leads to a chain of the network; the container's identifier follows, perhaps cut short. */
export const masqueradeComment = (network: string): string => `name: "${network}" id: "`;
export const portmapComment = (network: string): string => `dnat name: "${network}" id: "`;

/** What begins the comments of a network's masquerading rules in nf_tables. */
export const nftNetworkMark = (network: string): string => `${sha512Hex(network).slice(0, 16)}-`;

/** What begins those of one interface. */
export function nftInterfaceMark({ network, containerId }: RuleOwner, ifName: string): string {
  return nftNetworkMark(network) + sha512Hex(`${ifName}:${containerId}`).slice(0, 16);
}
