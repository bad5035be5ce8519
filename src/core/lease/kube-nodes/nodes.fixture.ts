/** Node objects as flannel leaves them, in the forms of its documentation and source. */
import type { KubeObject } from '#core/store/index.ts';

const PREFIX = 'flannel.alpha.coreos.com/';

/** A Node object; annotations by the last part of their names. */
export function nodeObject(
  name: string,
  podCIDRs: readonly string[],
  annotations: Readonly<Record<string, string>> = {},
  labels: Readonly<Record<string, string>> = { 'kubernetes.io/os': 'linux' },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { ...labels },
      annotations: {
        'node.alpha.kubernetes.io/ttl': '0',
        ...Object.fromEntries(Object.entries(annotations).map(([key, value]) => [PREFIX + key, value])),
      },
    },
    spec: podCIDRs.length === 0 ? {} : { podCIDR: podCIDRs[0], podCIDRs: [...podCIDRs] },
    status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2024-01-01T00:00:00Z' }] },
  };
}

/** What flannel writes with the backend vxlan. */
export const FLANNEL_VXLAN = {
  'backend-data': '{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4e"}',
  'backend-type': 'vxlan',
  'kube-subnet-manager': 'true',
  'public-ip': '192.0.2.10',
};
export const FLANNEL_VXLAN_DUAL = {
  ...FLANNEL_VXLAN,
  'backend-v6-data': '{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4f"}',
  'public-ipv6': '2001:db8::10',
};
export const FLANNEL_HOST_GW = {
  'backend-data': 'null',
  'backend-type': 'host-gw',
  'kube-subnet-manager': 'true',
  'public-ip': '192.0.2.10',
};
export const FLANNEL_WIREGUARD = {
  'backend-data': '{"PublicKey":"xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="}',
  'backend-type': 'wireguard',
  'kube-subnet-manager': 'true',
  'public-ip': '192.0.2.10',
};
export const FLANNEL_IPIP = { ...FLANNEL_HOST_GW, 'backend-type': 'ipip' };
export const FLANNEL_UDP = { ...FLANNEL_HOST_GW, 'backend-type': 'udp' };
