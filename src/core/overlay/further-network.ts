/**
 * A host may be a node of several networks, each with an agent of its own: as flannel has several daemons. Planners plan for the first;
 * what they give is marked here as another's: its protocol number, alias, tables, table of node addresses and rule. So two agents in one
 * namespace see each other's objects as a stranger's.
 */
import { type KernelObject, OVERLAY, overlayOwner } from '#core/kernel/index.ts';
import { NODE_TABLE } from './node-table.ts';

/** The table of node addresses of a further network; the rules that lead there follow the first one's in the same steps. */
function nodeTable(network: number): number {
  return NODE_TABLE * 10 + network;
}

/** The same object as one of the given network: 0 is the first, and leaves it as it is. */
export function asOfNetwork(network: number): (object: KernelObject) => KernelObject {
  if (network === 0) return (object) => object;
  const owner = overlayOwner(network);
  const tableOf = (name: string): string => owner.tables[OVERLAY.tables.indexOf(name)] ?? name;
  return (object) => {
    switch (object.kind) {
      case 'link':
        return object.alias === OVERLAY.alias ? { ...object, alias: owner.alias } : object;
      case 'route':
      case 'rule': {
        if (object.protocol !== OVERLAY.protocol) return object;
        const marked = { ...object, protocol: owner.protocol };
        const inTable = object.table === NODE_TABLE ? { ...marked, table: nodeTable(network) } : marked;
        return inTable.kind === 'rule' ? { ...inTable, priority: inTable.priority + network } : inTable;
      }
      case 'neighbour':
        return object.protocol === OVERLAY.protocol ? { ...object, protocol: owner.protocol } : object;
      case 'nft-table':
        return { ...object, name: tableOf(object.name) };
      case 'nft-chain':
      case 'nft-set':
      case 'nft-element':
        return { ...object, table: tableOf(object.table) };
      default:
        return object;
    }
  };
}
