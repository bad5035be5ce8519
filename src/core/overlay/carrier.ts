/** The port of what carries packets, or is told of subnets, outside the kernel: a program beside the agent. The kernel's part is a Backend's. */
import type { LocalSubnet, RemoteSubnet } from './backend.ts';

export interface Carrier extends AsyncDisposable {
  /** This node's side, once its kernel objects are in place; again when it changes. */
  local(locals: readonly LocalSubnet[]): Promise<void>;
  /** A remote subnet is there, or is another now; `name` stands for it until it is removed. Of two that claim one subnet the first in the alphabet counts. */
  upsert(name: string, remote: RemoteSubnet): void;
  remove(name: string): void;
  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[];
}
