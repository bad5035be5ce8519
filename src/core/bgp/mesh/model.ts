/** Who of a cluster's nodes speaks with whom. */

export interface MeshNode {
  readonly name: string;
  /** Whether the cluster holds it for alive: all nodes must see the same. One that is not keeps its sessions, and reflects for nobody. */
  readonly isAlive: boolean;
  /** Where it fails together with others: the widest first, such as zone and rack. */
  readonly places: readonly string[];
  /** It is no reflector, whatever happens. */
  readonly isNeverReflector?: boolean;
}

export interface MeshOptions {
  /** Up to so many nodes each speaks with each; 100 if absent. */
  readonly fullMeshLimit?: number;
  /** How many reflectors each node has; 2 if absent. */
  readonly reflectorsPerNode?: number;
  /** About so many nodes for each reflector; 200 if absent. */
  readonly clientsPerReflector?: number;
}

/** mesh: neither reflects for the other; client: we reflect for the peer; reflector: the peer reflects for us. */
export type MeshRole = 'mesh' | 'client' | 'reflector';

export interface MeshSession {
  readonly peer: string;
  readonly role: MeshRole;
}

/** A session that is there, wanted or not. */
export interface HeldSession extends MeshSession {
  readonly isEstablished: boolean;
  /** The peer has told all it had (RFC 4724: End-of-RIB). */
  readonly isComplete: boolean;
  /** Whatever was learned by it is known by others too. */
  readonly isRedundant: boolean;
}
