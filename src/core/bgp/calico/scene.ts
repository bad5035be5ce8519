/** One node among the others: its routes, and its neighbours with all that is asked of them. */
import { familyOf, formatScopedIp, type IpAddress, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Asn } from '../model.ts';
import type { LocalRoute } from '../rib/index.ts';
import type { FamilyFilters, NeighborConfig, SpeakerConfig } from '../speaker/index.ts';
import { type CalicoFilter, calicoFilter, defaultExport, type ExportBasis, filterOf } from './filters.ts';
import { meshRoles } from './mesh.ts';
import type { CalicoNode } from './node.ts';
import { isClient, type WantedPeer, wantedPeers } from './peers.ts';
import type { CalicoPool } from './pools.ts';
import { type Findings, readValue, unknownName } from './reader.ts';
import { type Configuration, FILTER } from './schemas.ts';
import { serviceAddresses } from './service-addresses.ts';
import { allServices, prioritiesOf, servicesOf, toldServices } from './services.ts';
import { hashedRouterId, parseRouterId } from './values.ts';
import type { CalicoWorld } from './world.ts';

const DEFAULT_ASN = 64_512;
const DEFAULT_PORT = 179;
const DEFAULT_RESTART_SEC = 120;
const MULTIHOP_TTL = 64;
const NO_SERVICES_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

interface SceneParts {
  readonly world: CalicoWorld;
  readonly configuration: Configuration;
  readonly pools: readonly CalicoPool[];
  readonly nodes: readonly CalicoNode[];
  readonly own: CalicoNode;
  readonly filters: readonly KubeObject[];
  readonly findings: Findings;
}

/** All that the neighbours of one node depend on. */
export class Scene {
  readonly reachability: { readonly peer: IpAddress; readonly gateway: IpAddress }[] = [];
  readonly #world: CalicoWorld;
  readonly #configuration: Configuration;
  readonly #nodes: readonly CalicoNode[];
  readonly #own: CalicoNode;
  readonly #asn: Asn;
  readonly #findings: Findings;
  readonly #filters = new Map<string, CalicoFilter>();
  readonly #services: readonly IpPrefix[];
  readonly #exports: {
    readonly 4: ReturnType<typeof defaultExport>;
    readonly 6: ReturnType<typeof defaultExport>;
  };

  constructor(parts: SceneParts) {
    const { world, configuration, pools, nodes, own, filters, findings } = parts;
    this.#world = world;
    this.#configuration = configuration;
    this.#nodes = nodes;
    this.#own = own;
    this.#asn = own.asn ?? configuration.asNumber ?? DEFAULT_ASN;
    this.#findings = findings;
    for (const {
      metadata: { name },
      ...rest
    } of filters) {
      const spec = readValue(FILTER, rest['spec'], `BGPFilter ${name} spec`, findings);
      if (spec !== undefined) this.#filters.set(name, calicoFilter(name, spec, findings));
    }
    const isExcluded = own.labels[NO_SERVICES_LABEL] !== undefined;
    this.#services = isExcluded
      ? []
      : [
          ...toldServices(configuration),
          ...serviceAddresses(world.objects, servicesOf(configuration), world.node),
        ];
    const basis: ExportBasis = {
      pools,
      ownBlocks: world.blocks,
      services: isExcluded ? [] : allServices(configuration),
      advertisements: configuration.prefixAdvertisements ?? [],
      communities: new Map(configuration.communities.map(({ name, value }) => [name, value])),
    };
    this.#exports = { 4: defaultExport(basis, 4, findings), 6: defaultExport(basis, 6, findings) };
  }

  speaker(peers: readonly KubeObject[]): SpeakerConfig | undefined {
    const { addresses, name, clusterId } = this.#own;
    if (addresses[4] === undefined && addresses[6] === undefined) {
      this.#findings.problems.push({
        place: `Node ${name}`,
        message: 'has neither an IPv4 nor an IPv6 address for BGP',
      });
      return undefined;
    }
    const routerId = addresses[4] === undefined ? hashedRouterId(name) : parseRouterId(addresses[4]);
    const wanted = peers.flatMap((peer) =>
      wantedPeers(peer, this.#own, this.#nodes, this.#world.workloads ?? [], this.#findings),
    );
    const neighbors = new Map<string, NeighborConfig>();
    for (const neighbor of [...this.#mesh(), ...wanted.map((peer) => this.#peer(peer))])
      neighbors.set(neighbor.key, neighbor);
    return {
      asn: this.#asn,
      routerId,
      ...(clusterId === undefined ? {} : { clusterId }),
      decision: { maxPaths: { external: 64, internal: 64 }, relaxesMultipath: true },
      neighbors: [...neighbors.values()],
      routes: this.#routes(),
      aggregates: [],
    };
  }

  #routes(): readonly LocalRoute[] {
    const priority = prioritiesOf(this.#configuration);
    const blocks = this.#world.blocks.map((prefix) => ({
      prefix,
      origin: 'ipam',
      isDiscard: true,
      attributes: { priority: priority[familyOf(prefix)] },
    }));
    return [...blocks, ...this.#services.map((prefix) => ({ prefix, origin: 'services' }))];
  }

  /** Every node with every other but reflectors, unless it is one itself. */
  #mesh(): readonly NeighborConfig[] {
    const { nodeToNodeMeshEnabled, nodeMeshPassword, nodeMeshMaxRestartTime } = this.#configuration;
    if (nodeToNodeMeshEnabled === false || this.#own.clusterId !== undefined) return [];
    const roles = meshRoles(this.#world.mesh, this.#own, this.#nodes);
    const restart = { restartTimeSec: nodeMeshMaxRestartTime ?? DEFAULT_RESTART_SEC };
    return this.#nodes.flatMap((node) => {
      const role = roles.get(node.name);
      if (role === undefined) return [];
      return ([4, 6] as const).flatMap((family): readonly NeighborConfig[] => {
        const [peerAddress, localAddress] = [node.addresses[family], this.#own.addresses[family]];
        if (peerAddress === undefined || localAddress === undefined) return [];
        const session = {
          peerAddress,
          ...this.#port(undefined),
          peerAsn: node.asn ?? this.#configuration.asNumber ?? DEFAULT_ASN,
          localAddress,
          // One of two nodes connects, and the same one whichever program it runs.
          isPassive: peerAddress > localAddress,
          multihopTtl: MULTIHOP_TTL,
          families: familiesOf(family),
          restart,
          ...passwordOf(nodeMeshPassword),
        };
        const policy = {
          addPathCount: 'all' as const,
          ...(role === 'client' ? { isReflectorClient: true } : {}),
          ...this.#filterPolicy([], family),
        };
        return [{ key: `mesh ${node.name} ${family}`, description: `node ${node.name}`, session, policy }];
      });
    });
  }

  #peer(peer: WantedPeer): NeighborConfig {
    const { name, spec, families, address, link, peerAs, node, workload } = peer;
    const peerAsn = peer.asn ?? this.#configuration.asNumber ?? DEFAULT_ASN;
    const ownAsn = spec.localASNumber ?? this.#asn;
    const isExternal = peerAs === undefined ? peerAsn !== ownAsn : peerAs === 'external';
    const isReflecting = isClient(this.#own, ownAsn, isExternal ? undefined : ownAsn, node?.clusterId);
    const place = address === undefined ? link : formatScopedIp(address, link);
    if (spec.reachableBy !== undefined && address !== undefined)
      this.reachability.push({ peer: address, gateway: spec.reachableBy });
    const { keepaliveTime: keepalive, ttlSecurity: hops = 0, numAllowedLocalASNumbers: allowed } = spec;
    return {
      key: `BGPPeer ${name} ${place}`,
      description: node === undefined ? `BGPPeer ${name}` : `BGPPeer ${name}, node ${node.name}`,
      session: {
        ...(address === undefined ? {} : { peerAddress: address }),
        ...this.#port(peer),
        ...(peerAs === undefined ? { peerAsn } : { peerAs }),
        ...(spec.localASNumber === undefined ? {} : { localAsn: spec.localASNumber }),
        ...this.#sourceAddress(peer),
        ...(workload?.interface === undefined ? {} : { interface: workload.interface }),
        ...(link === undefined ? {} : { interface: link }),
        ...(workload === undefined ? {} : { isPassive: true }),
        ...hopsOf(hops, link !== undefined),
        families: families.flatMap((family) => familiesOf(family, link !== undefined)),
        // BIRD sends three KEEPALIVEs in a hold time unless told otherwise, and so do we.
        ...(keepalive === undefined ? {} : { holdTimeSec: Math.max(3, keepalive * 3) }),
        restart: { restartTimeSec: spec.maxRestartTime ?? DEFAULT_RESTART_SEC },
        ...passwordOf(spec.password),
      },
      policy: {
        addPathCount: 'all',
        nextHop: nextHopOf(peer, isExternal),
        ...(isReflecting ? { isReflectorClient: true } : {}),
        ...(allowed === undefined ? {} : { allowedOwnAsns: allowed }),
        ...this.#filterPolicies(this.#filtersOf(peer), families),
      },
    };
  }

  #port(peer: WantedPeer | undefined): { readonly port?: number } {
    if (peer?.port !== undefined) return { port: peer.port };
    const { listenPort } = this.#configuration;
    const isNode = peer === undefined || peer.node !== undefined;
    return isNode && listenPort !== undefined && listenPort !== DEFAULT_PORT ? { port: listenPort } : {};
  }

  #sourceAddress({ spec, families, link, workload }: WantedPeer): { readonly localAddress?: IpAddress } {
    const [family] = families;
    // Between link-local addresses it is the link's own.
    if (family === undefined || link !== undefined) return {};
    const { localWorkloadPeeringIPV4, localWorkloadPeeringIPV6 } = this.#configuration;
    const meeting = family === 4 ? localWorkloadPeeringIPV4 : localWorkloadPeeringIPV6;
    const localAddress = workload === undefined ? this.#own.addresses[family] : meeting;
    return spec.sourceAddress === 'None' || localAddress === undefined ? {} : { localAddress };
  }

  #filtersOf({ name, spec }: WantedPeer): readonly CalicoFilter[] {
    return spec.filters.flatMap((wanted, index) => {
      const filter = this.#filters.get(wanted);
      if (filter !== undefined) return [filter];
      const place = `BGPPeer ${name} spec.filters[${index}]`;
      this.#findings.problems.push({ place, message: unknownName(wanted, this.#filters.keys()) });
      return [];
    });
  }

  /** Of all families of a session. */
  #filterPolicies(
    filters: readonly CalicoFilter[],
    families: readonly IpFamily[],
  ): Pick<NeighborConfig['policy'], 'imports' | 'exports'> {
    const all = families.map((family) => this.#filterPolicy(filters, family));
    const imports = Object.assign({}, ...all.map((each) => each.imports)) as FamilyFilters;
    const exports = Object.assign({}, ...all.map((each) => each.exports)) as FamilyFilters;
    return { ...(Object.keys(imports).length === 0 ? {} : { imports }), exports };
  }

  #filterPolicy(
    filters: readonly CalicoFilter[],
    family: IpFamily,
  ): Pick<NeighborConfig['policy'], 'imports' | 'exports'> {
    const imports = filterOf(filters, 'imports', family, []);
    const exports = filterOf(filters, 'exports', family, this.#exports[family]);
    return {
      ...(imports.rules.length === 0 ? {} : { imports: { [family]: imports } }),
      exports: { [family]: exports },
    };
  }
}

/** Between link-local addresses there is no other next hop for IPv4 than one of IPv6 (RFC 8950). */
function familiesOf(family: IpFamily, isOnLink = false): NeighborConfig['session']['families'] {
  const extended = isOnLink ? { extendedNextHop: true } : {};
  return [{ family, addPathSend: true, addPathReceive: true, ...extended }];
}

function hopsOf(ttlSecurityHops: number, isOnLink: boolean): Partial<NeighborConfig['session']> {
  if (ttlSecurityHops > 0) return { ttlSecurityHops };
  return isOnLink ? {} : { multihopTtl: MULTIHOP_TTL };
}

function nextHopOf({ spec }: WantedPeer, isExternal: boolean): 'auto' | 'self' | 'keep' {
  if (spec.nextHopMode === 'Self') return 'self';
  if (spec.nextHopMode === 'Keep') return 'keep';
  // The older key is about external peers alone.
  return spec.keepOriginalNextHop === true && isExternal ? 'keep' : 'auto';
}

function passwordOf(password: Configuration['nodeMeshPassword']): { readonly password?: string } {
  const { secretKeyRef } = password ?? {};
  return secretKeyRef === undefined ? {} : { password: `secret/${secretKeyRef.name}/${secretKeyRef.key}` };
}
