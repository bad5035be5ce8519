/** The objects that BGP is made of, as far as they matter: of a node its addresses and labels, and not what a kubelet says every minute. */
import { canonicalIp, type IpAddress } from '#base/ip/index.ts';
import type { KubeObject, ResourcePath } from '#core/store/index.ts';

const ANNOTATIONS = 'projectcalico.org/';
const ADDRESS_KEYS = { 4: `${ANNOTATIONS}IPv4Address`, 6: `${ANNOTATIONS}IPv6Address` } as const;

export class KnownObjects {
  readonly #byKind = new Map<string, Map<string, KubeObject>>();
  readonly #texts = new Map<string, string>();

  /** All objects of a kind, in place of those that there were. True if anything is another. */
  sync({ kind }: ResourcePath, objects: readonly KubeObject[]): boolean {
    const names = new Set(objects.map(nameOf));
    let isChanged = false;
    for (const name of [...(this.#byKind.get(kind)?.keys() ?? [])])
      if (!names.has(name)) isChanged = this.#delete(kind, name) || isChanged;
    for (const object of objects) isChanged = this.#put(kind, object) || isChanged;
    return isChanged;
  }

  /** True if it is another. */
  upsert({ kind }: ResourcePath, object: KubeObject): boolean {
    return this.#put(kind, object);
  }

  /** True if it was there. */
  remove({ kind }: ResourcePath, object: KubeObject): boolean {
    return this.#delete(kind, nameOf(object));
  }

  /** Of a kind; in no order that matters. */
  of(kind: string): readonly KubeObject[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  all(): readonly KubeObject[] {
    return [...this.#byKind.values()].flatMap((objects) => [...objects.values()]);
  }

  #put(kind: string, object: KubeObject): boolean {
    const essence = (ESSENCES[kind] ?? essenceOf)(object);
    const name = nameOf(object);
    const key = `${kind} ${name}`;
    const text = JSON.stringify(essence);
    if (this.#texts.get(key) === text) return false;
    this.#texts.set(key, text);
    const objects = this.#byKind.get(kind) ?? new Map<string, KubeObject>();
    this.#byKind.set(kind, objects.set(name, essence));
    return true;
  }

  #delete(kind: string, name: string): boolean {
    this.#texts.delete(`${kind} ${name}`);
    return this.#byKind.get(kind)?.delete(name) === true;
  }
}

function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

const ESSENCES: Readonly<Record<string, (object: KubeObject) => KubeObject>> = {
  Node: essenceOfNode,
  Service: essenceOfService,
  EndpointSlice: essenceOfSlice,
};

function essenceOf({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const { name, annotations } = metadata;
  return { apiVersion, kind, metadata: { name, ...(annotations && { annotations }) }, spec: rest['spec'] };
}

function essenceOfService({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const { name, namespace } = metadata;
  const { type, clusterIP, clusterIPs, externalIPs, externalTrafficPolicy } = (rest['spec'] ??
    {}) as Readonly<Record<string, unknown>>;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec: { type, clusterIP, clusterIPs, externalIPs, externalTrafficPolicy },
    status: {
      loadBalancer: (rest['status'] as { readonly loadBalancer?: unknown } | undefined)?.loadBalancer,
    },
  };
}

/** Nodes that have endpoints that are ready, whatever their number and addresses. */
function essenceOfSlice({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const { name, namespace, labels } = metadata;
  const endpoints = (rest['endpoints'] ?? []) as readonly {
    readonly nodeName?: string;
    readonly conditions?: { readonly ready?: boolean };
  }[];
  const nodes = endpoints.flatMap(({ nodeName, conditions }) =>
    nodeName === undefined || conditions?.ready === false ? [] : [nodeName],
  );
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }), ...(labels && { labels }) },
    addressType: rest['addressType'],
    endpoints: [...new Set(nodes)].toSorted().map((nodeName) => ({ nodeName })),
  };
}

interface NodeStatus {
  readonly addresses?: readonly { readonly type?: string; readonly address?: string }[];
  readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
}

/** Addresses of nodes that Calico's own program has not annotated are those that Kubernetes has of them. */
function essenceOfNode({ apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const { name, labels } = metadata;
  const status = (rest['status'] ?? {}) as NodeStatus;
  const annotations: Record<string, string> = {};
  for (const { type, address } of status.addresses ?? []) {
    const canonical = type === 'InternalIP' && address !== undefined ? canonicalIp(address) : undefined;
    if (canonical !== undefined) annotations[addressKey(canonical)] ??= canonical;
  }
  for (const [key, value] of Object.entries(metadata.annotations ?? {}))
    if (key.startsWith(ANNOTATIONS) && value !== '') annotations[key] = value;
  const readiness = status.conditions?.find(({ type }) => type === 'Ready')?.status;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(labels && { labels }), annotations },
    isDead: readiness !== undefined && readiness !== 'True',
  };
}

function addressKey(address: IpAddress): string {
  return ADDRESS_KEYS[address.includes(':') ? 6 : 4];
}

/** Whether the cluster holds a node for dead. */
export function isDead(node: KubeObject): boolean {
  return node['isDead'] === true;
}

/** A node with the addresses it has, where nobody has said others; with the lengths of their networks. */
export function withAddresses(node: KubeObject, addresses: readonly string[]): KubeObject {
  const annotations = { ...node.metadata.annotations };
  for (const address of addresses) {
    const key = addressKey(address);
    const [bare = ''] = address.split('/');
    // What says the address alone does not say of which network.
    if (annotations[key] === undefined || annotations[key] === bare) annotations[key] = address;
  }
  return { ...node, metadata: { ...node.metadata, annotations } };
}
