/**
 * Pods reach other nodes' own addresses through the overlay: a rule sends what comes from the local subnet to a table of node
 * addresses. So nothing on the way needs NAT or sees a pod's address, and reverse path filters stay content.
 */
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';
import type { LocalSubnet } from './backend.ts';

/** The table of node addresses, and the place of its rule. */
export const NODE_TABLE = 112;
const NODE_RULE_PRIORITY = 10_112;

/** What comes from the local subnet looks in the table first. */
export function nodeRule({ family, subnet }: LocalSubnet): KernelObject {
  return {
    kind: 'rule',
    family,
    priority: NODE_RULE_PRIORITY,
    from: subnet,
    table: NODE_TABLE,
    protocol: OVERLAY.protocol,
  };
}
