/**
 * The port of a registry: where subnet leases are kept, and how this node gets and keeps its own there. Leases as objects of our own,
 * Node objects with flannel's annotations, and flannel's keys in etcd each have one. A registry that cannot be reached says nothing:
 * what was told stays true.
 */
import type { FamilyKey, LeaseRecord, SubnetLease } from './model.ts';

/** A lease as a registry shows it, under a name that is unique there and lasts as long as it does: one family each. */
export type RegistryEntry =
  | { readonly name: string; readonly own: boolean; readonly record: LeaseRecord }
  /** It is there and cannot be used, for a reason in words. */
  | { readonly name: string; readonly refused: string };

/** Who is told. */
export interface RegistrySink {
  /** All families of this node are held, or were renewed, or publish something else. */
  held(lease: SubnetLease): void;
  /** A family's subnet is another node's now: it must not be used any more. */
  lost(family: FamilyKey): void;
  /** Everything there is: first of all, and after each interruption. */
  sync(entries: readonly RegistryEntry[]): void;
  upsert(entry: RegistryEntry): void;
  remove(name: string): void;
  /** The registry went away or came back. */
  connection(state: 'up' | 'down', cause?: Error): void;
}

/** Disposal leaves this node's lease where it is. */
export interface LeaseRegistry extends AsyncDisposable {
  /** Once; reports until disposal. */
  start(sink: RegistrySink): void;
  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[];
}
