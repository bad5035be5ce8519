/** The names of flannel's annotations on Node objects (pkg/subnet/kube/annotations.go). */

/** Where the operator names no other with -kube-annotation-prefix. */
export const FLANNEL_ANNOTATION_PREFIX = 'flannel.alpha.coreos.com/';

export interface NodeAnnotations {
  /** `true` where flannel or Poplin serves the node. */
  readonly managed: string;
  readonly backendType: string;
  readonly ipv4: FamilyAnnotations;
  readonly ipv6: FamilyAnnotations;
}

export interface FamilyAnnotations {
  /** JSON; `null` where the backend tells nothing. */
  readonly backendData: string;
  /** Where other nodes send to. */
  readonly publicIp: string;
  /** Of an operator: the node's own address to use, as --public-ip would say it. */
  readonly nodePublicIp: string;
  /** Of an operator: what to write as the public address, whatever the node finds. */
  readonly publicIpOverwrite: string;
}

/** `prefix` ends with a slash or a hyphen. */
export function nodeAnnotations(prefix: string = FLANNEL_ANNOTATION_PREFIX): NodeAnnotations {
  return {
    managed: `${prefix}kube-subnet-manager`,
    backendType: `${prefix}backend-type`,
    ipv4: {
      backendData: `${prefix}backend-data`,
      publicIp: `${prefix}public-ip`,
      nodePublicIp: `${prefix}node-public-ip`,
      publicIpOverwrite: `${prefix}public-ip-overwrite`,
    },
    ipv6: {
      backendData: `${prefix}backend-v6-data`,
      publicIp: `${prefix}public-ipv6`,
      nodePublicIp: `${prefix}node-public-ipv6`,
      publicIpOverwrite: `${prefix}public-ipv6-overwrite`,
    },
  };
}
