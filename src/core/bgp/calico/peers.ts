/** BGPPeer: which of them are about a node, and with whom each makes it speak. */
import { familyOf, type IpAddress, type IpFamily, isLinkLocal } from '#base/ip/index.ts';
import {
  CalicoSelectorError,
  matchesSelector,
  parseCalicoSelector,
  type Selector,
} from '#core/policy/selector/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Asn, RouterId } from '../model.ts';
import { type LinkKeys, readLinkKeys } from './link-keys.ts';
import type { CalicoNode } from './node.ts';
import { type Findings, readValue } from './reader.ts';
import { PEER, type Peer } from './schemas.ts';

/** A pod of this node, for peers within it. */
export interface LocalWorkload {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly IpAddress[];
  /** The node's end of its link. */
  readonly interface?: string;
}

/** One session that a BGPPeer asks for. */
export interface WantedPeer {
  readonly name: string;
  readonly spec: Peer;
  /** What the session carries: the family it runs over, and between link-local addresses those of the node. */
  readonly families: readonly IpFamily[];
  /** Absent: whoever is at the other end of the link. */
  readonly address?: IpAddress;
  /** Of a link-local neighbour. */
  readonly link?: string;
  readonly peerAs?: 'external' | 'internal';
  readonly port?: number;
  readonly asn?: Asn;
  /** The node at the other end, if it is one of ours. */
  readonly node?: CalicoNode;
  readonly workload?: LocalWorkload;
}

/** The sessions that one BGPPeer means for a node; none if it is about others. */
export function wantedPeers(
  object: KubeObject,
  own: CalicoNode,
  nodes: readonly CalicoNode[],
  workloads: readonly LocalWorkload[],
  findings: Findings,
): readonly WantedPeer[] {
  const { name } = object.metadata;
  const place = `BGPPeer ${name} spec`;
  const spec = readValue(PEER, object['spec'], place, findings);
  const keys = spec && readLinkKeys(object, spec, findings);
  if (spec === undefined || keys === undefined || !isSound(spec, keys, place, findings)) return [];
  const selectors = selectorsOf(spec, place, findings);
  if (selectors === undefined) return [];
  const { nodes: nodeSelector, peers: peerSelector, workloads: workloadSelector } = selectors;
  const isAbout = (node: CalicoNode): boolean => {
    if (spec.node !== undefined && spec.node !== '') return node.name === spec.node;
    return nodeSelector === undefined || selects(nodeSelector, node);
  };
  const { peerAs } = keys;
  const base = { name, spec, ...(peerAs === undefined ? {} : { peerAs }) };
  if (peerSelector !== undefined) {
    const isReversed = spec.reversePeering !== 'Manual';
    const chosen = nodes.filter(
      (node) =>
        node.name !== own.name &&
        ((isAbout(own) && selects(peerSelector, node)) ||
          // The other end is told by the same object, unless somebody wants to write it.
          (isReversed && isAbout(node) && selects(peerSelector, own))),
    );
    return chosen.flatMap((node) => nodePeers(base, own, node));
  }
  if (!isAbout(own)) return [];
  if (workloadSelector === undefined)
    return spec.peerIP === undefined || isLinkLocal(spec.peerIP.address)
      ? linkPeers(base, own, keys.links)
      : addressPeer(base, own, nodes);
  const chosen = workloads.filter((workload) => selects(workloadSelector, workload));
  return chosen.flatMap((workload) => workloadPeers(base, workload));
}

interface Base {
  readonly name: string;
  readonly spec: Peer;
  readonly peerAs?: 'external' | 'internal';
}

/** Between link-local addresses: the one that is named, or one session for each link. */
function linkPeers(base: Base, own: CalicoNode, links: readonly string[]): readonly WantedPeer[] {
  const { peerIP, asNumber: asn } = base.spec;
  const all = peerIP?.link === undefined ? links : [peerIP.link];
  return all.map((link) => ({
    ...base,
    families: ([4, 6] as const).filter((family) => own.addresses[family] !== undefined),
    link,
    ...(peerIP === undefined ? {} : { address: peerIP.address }),
    ...(peerIP?.port === undefined ? {} : { port: peerIP.port }),
    ...(asn === undefined ? {} : { asn }),
  }));
}

function workloadPeers(base: Base, workload: LocalWorkload): readonly WantedPeer[] {
  const { asNumber: asn } = base.spec;
  return workload.addresses.map((address) => ({
    ...base,
    families: [familyOf(address)],
    address,
    ...(asn === undefined ? {} : { asn }),
    workload,
  }));
}

function addressPeer(base: Base, own: CalicoNode, nodes: readonly CalicoNode[]): readonly WantedPeer[] {
  const { peerIP, asNumber } = base.spec;
  if (peerIP === undefined || Object.values(own.addresses).includes(peerIP.address)) return [];
  const { address, port } = peerIP;
  const node = nodes.find(({ addresses }) => Object.values(addresses).includes(address));
  const asn = asNumber ?? node?.asn;
  return [
    {
      ...base,
      families: [familyOf(address)],
      address,
      ...(port === undefined ? {} : { port }),
      ...(asn === undefined ? {} : { asn }),
      ...(node === undefined ? {} : { node }),
    },
  ];
}

/** One session for each family that both nodes have. */
function nodePeers(base: Base, own: CalicoNode, node: CalicoNode): readonly WantedPeer[] {
  return ([4, 6] as const).flatMap((family) => {
    const address = node.addresses[family];
    if (address === undefined || own.addresses[family] === undefined) return [];
    return [
      { ...base, families: [family], address, ...(node.asn === undefined ? {} : { asn: node.asn }), node },
    ];
  });
}

/** Whether a peer is a client of ours (RFC 4456): we reflect, and it does not for the same cluster. */
export function isClient(
  own: CalicoNode,
  ownAsn: Asn,
  peerAsn: Asn | undefined,
  peerCluster: RouterId | undefined,
): boolean {
  return own.clusterId !== undefined && peerAsn === ownAsn && peerCluster !== own.clusterId;
}

function isSound(spec: Peer, { links }: LinkKeys, place: string, findings: Findings): boolean {
  const fail = (key: string, message: string): false => {
    findings.problems.push({ place: `${place}.${key}`, message });
    return false;
  };
  const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';
  if (isGiven(spec.node) && isGiven(spec.nodeSelector)) return fail('nodeSelector', 'does not go with node');
  if (isGiven(spec.peerSelector)) {
    if (spec.peerIP !== undefined) return fail('peerSelector', 'does not go with peerIP');
    if (spec.asNumber !== undefined)
      return fail('peerSelector', 'does not go with asNumber: the nodes have their own');
    return isGiven(spec.localWorkloadSelector)
      ? fail('localWorkloadSelector', 'does not go with peerSelector')
      : true;
  }
  if (isGiven(spec.localWorkloadSelector)) {
    if (spec.peerIP !== undefined) return fail('localWorkloadSelector', 'does not go with peerIP');
    return spec.asNumber === undefined ? fail('asNumber', 'is missing') : true;
  }
  if (spec.peerIP === undefined && links.length === 0)
    return fail('peerIP', 'is missing, and so are peerSelector and localWorkloadSelector');
  return true;
}

interface Selectors {
  readonly nodes: Selector | undefined;
  readonly peers: Selector | undefined;
  readonly workloads: Selector | undefined;
}

/** Undefined, and problems, if one of them cannot be read. */
function selectorsOf(spec: Peer, place: string, findings: Findings): Selectors | undefined {
  let isSound = true;
  const read = (key: 'nodeSelector' | 'peerSelector' | 'localWorkloadSelector'): Selector | undefined => {
    const text = spec[key];
    if (text === undefined || text === '') return undefined;
    try {
      return parseCalicoSelector(text, 'member');
    } catch (error) {
      if (!(error instanceof CalicoSelectorError)) throw error;
      findings.problems.push({ place: `${place}.${key}`, message: error.message });
      isSound = false;
      return undefined;
    }
  };
  const selectors = {
    nodes: read('nodeSelector'),
    peers: read('peerSelector'),
    workloads: read('localWorkloadSelector'),
  };
  return isSound ? selectors : undefined;
}

function selects(
  selector: Selector,
  { name, labels }: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): boolean {
  return matchesSelector(selector, {
    member: { key: name, kind: 'node', name, labels, nets: [], ports: [] },
  });
}
