/** What policy is told of an attachment: whose it is, and by which link and addresses its packets are known. */
import { canonicalIp, type IpAddress, prefixParts } from '#base/ip/index.ts';
import { type CniEnvironment, type CniResult, parseCniArgs } from '#core/cni/index.ts';
import { baseOf, vethOf } from './records.ts';
import type { PodRef, StoredPart } from './stored-part.ts';

export interface PodEndpoint {
  /** The attachment. */
  readonly part: string;
  readonly containerId: string;
  readonly pod: PodRef;
  readonly addresses: readonly IpAddress[];
  /** The host's end of its pair. */
  readonly link?: string;
  /** The bridge that it is a port of. */
  readonly bridge?: string;
}

/** Whoever decides what pods may send and receive. */
export interface EndpointPolicy {
  /** Before the pod's link is up. Rejects with a CniError if it must not be. */
  admit(endpoint: PodEndpoint): Promise<void>;
  /** It is attached already: found again after a restart, or with its link under another name. */
  restored(endpoint: PodEndpoint): void;
  /** Nothing passes its link any more. */
  released(part: string): void;
}

/** The pod a runtime of Kubernetes attaches, by CNI_ARGS. Throws CniError 4 for args that are none. */
export function podOf({ args: text }: CniEnvironment): PodRef | undefined {
  const args = parseCniArgs(text);
  const [namespace, name, uid] = ['K8S_POD_NAMESPACE', 'K8S_POD_NAME', 'K8S_POD_UID'].map((key) =>
    args.get(key),
  );
  if (!namespace || !name) return undefined;
  return { namespace, name, ...(uid && { uid }) };
}

/** Undefined for what policy cannot see: no pod, no addresses, or packets that do not come by a link of the host's own. */
export function endpointOf(stored: StoredPart): PodEndpoint | undefined {
  const { part, attachment, pod, addresses = [] } = stored;
  const veth = vethOf(stored);
  if (pod === undefined || veth === undefined || addresses.length === 0 || baseOf(stored) !== undefined)
    return undefined;
  const { containerId } = attachment;
  return {
    part,
    containerId,
    pod,
    addresses,
    link: veth.name,
    ...(veth.master && { bridge: veth.master }),
  };
}

/** The addresses of a result, without their lengths. */
export function addressesOf({ ips }: CniResult): IpAddress[] {
  const found = ips.flatMap(({ address }) => canonicalIp(prefixParts(address).address) ?? []);
  return [...new Set(found)];
}
