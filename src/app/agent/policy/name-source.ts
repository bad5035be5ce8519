/** Where a node learns from what names in policies stand for: the kernel's log of the answers that its pods get. */
import { POLICY_DNS_GROUP } from '#core/policy/names/index.ts';
import { PacketLog } from '#io/flow-log/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import type { NameSource } from './names.ts';

/** Of an answer: more than servers send by UDP (RFC 9715). */
const ANSWER_BYTES = 16 * 1024;

/** `extraSec`: how much longer than its answer says an address counts; undefined: as usual. */
export function nameSource(namespace: Namespace, file: string, extraSec: number | undefined): NameSource {
  return {
    file,
    openAnswers: (to) =>
      PacketLog.open({ ...to, namespace, group: POLICY_DNS_GROUP, copyBytes: ANSWER_BYTES }),
    ...(extraSec !== undefined && { terms: { extraSec } }),
  };
}
