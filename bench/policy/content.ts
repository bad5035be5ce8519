/**
 * The cluster of the policy benchmark: 10,000 pods in 100 namespaces on 40 nodes, and 20 policies in each namespace, of the kinds that people
 * write: who may ask an application, from its own namespace and from others, and where it may ask itself.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';

export interface Sizes {
  readonly pods: number;
  readonly nodes: number;
  readonly policies: number;
}

export const USUAL_SIZES: Sizes = { pods: 10_000, nodes: 40, policies: 2_000 };
export const OWN_NODE = 'node-0';
/** What pods listen on; policies allow it. */
export const PORT = 8080;

const NAMESPACES = 100;
const APPS = 10;

export interface LocalPod {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly link: string;
}

const namespaceOf = (at: number): string => `team-${at % NAMESPACES}`;
const appOf = (at: number): number => Math.floor(at / NAMESPACES) % APPS;

/** Both addresses of a pod: each node has a /24 and a /64. */
export function addressesOf(at: number, { nodes }: Sizes): readonly [IpAddress, IpAddress] {
  const [node, host] = [at % nodes, Math.floor(at / nodes) + 2];
  return [
    `10.${64 + (host >> 8)}.${node}.${host & 0xff}`,
    `fd64:0:0:${(node + 1).toString(16)}::${host.toString(16)}`,
  ];
}

export function clusterObjects(sizes: Sizes): KubeObject[] {
  return [
    ...Array.from({ length: sizes.nodes }, (_, at) => nodeObject(at)),
    ...Array.from({ length: NAMESPACES }, (_, at) => namespaceObject(at)),
    ...Array.from({ length: sizes.pods }, (_, at) => podObject(at, sizes)),
    ...Array.from({ length: sizes.policies }, (_, at) => policyObject(at)),
  ];
}

/** The pods of OWN_NODE. */
export function localPods(sizes: Sizes): LocalPod[] {
  const count = Math.ceil(sizes.pods / sizes.nodes);
  return Array.from({ length: count }, (_, index) => {
    const at = index * sizes.nodes;
    return {
      namespace: namespaceOf(at),
      name: `pod-${at}`,
      addresses: addressesOf(at, sizes),
      link: `veth${at}`,
    };
  });
}

/** A pod as it is, with one label more. */
export function podObject(at: number, sizes: Sizes, turn?: number): KubeObject {
  const [ipv4, ipv6] = addressesOf(at, sizes);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${at}`,
      namespace: namespaceOf(at),
      uid: `uid-${at}`,
      labels: {
        app: turn === undefined ? `app-${appOf(at)}` : `app-${turn % APPS}`,
        tier: at % 3 === 0 ? 'front' : 'back',
      },
    },
    spec: {
      nodeName: `node-${at % sizes.nodes}`,
      containers: [{ name: 'main', image: 'main', ports: [{ name: 'http', containerPort: PORT }] }],
    },
    status: { phase: 'Running', podIP: ipv4, podIPs: [{ ip: ipv4 }, { ip: ipv6 }] },
  };
}

function nodeObject(at: number): KubeObject {
  const addresses = [`192.0.2.${at + 1}`, `2001:db8::${(at + 1).toString(16)}`];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${at}` },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

function namespaceObject(at: number): KubeObject {
  const name = namespaceOf(at);
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name, area: `area-${at % 7}` } },
  };
}

function policyObject(at: number): KubeObject {
  const namespace = namespaceOf(at);
  const turn = Math.floor(at / NAMESPACES);
  const app = turn % APPS;
  const asks = (offset: number): object => ({ matchLabels: { app: `app-${(app + offset) % APPS}` } });
  const hasEgress = turn % 4 === 3;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${turn}`, namespace },
    spec: {
      podSelector: { matchLabels: { app: `app-${app}` } },
      policyTypes: ['Ingress', ...(hasEgress ? ['Egress'] : [])],
      ingress: [
        { from: [{ podSelector: asks(0) }, { podSelector: asks(1) }], ports: [{ port: PORT }] },
        {
          from: [
            {
              namespaceSelector: { matchLabels: { area: `area-${at % 7}` } },
              podSelector: { matchLabels: { tier: 'front' } },
            },
          ],
          ports: [{ port: 'http' }, { protocol: 'UDP', port: 53, endPort: 60 }],
        },
        {
          from: [
            { ipBlock: { cidr: '198.51.100.0/24', except: ['198.51.100.128/25'] } },
            { ipBlock: { cidr: '2001:db8:51::/48' } },
          ],
        },
      ],
      ...(hasEgress && {
        egress: [
          {
            ports: [
              { protocol: 'UDP', port: 53 },
              { protocol: 'TCP', port: 53 },
            ],
          },
          { to: [{ podSelector: asks(0) }, { podSelector: asks(2) }] },
        ],
      }),
    },
  };
}
