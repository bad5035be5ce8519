/** The condition NetworkUnavailable of a Node object, which keeps pods off a node (docs: Kubernetes, "Node conditions"). */
import { formatTime } from '#base/rfc3339.ts';
import type { KubeObject } from '#core/store/index.ts';

const REASON = 'FlannelIsUp';

/**
 * A strategic merge patch of the status, which leaves other conditions alone; undefined if the node has it already. The reason is
 * flannel's, by which other software knows it.
 */
export function networkUpPatch(node: KubeObject, nowMs: number): object | undefined {
  const status = node['status'] as { readonly conditions?: unknown } | undefined;
  const conditions: unknown[] = Array.isArray(status?.conditions) ? status.conditions : [];
  const before = conditions.find(
    (condition): condition is Record<string, unknown> =>
      typeof condition === 'object' &&
      condition !== null &&
      (condition as Record<string, unknown>)['type'] === 'NetworkUnavailable',
  );
  const wasFalse = before?.['status'] === 'False';
  if (wasFalse && before?.['reason'] === REASON) return undefined;
  const now = formatTime(Math.floor(nowMs / 1000), 0, 0);
  const since = before?.['lastTransitionTime'];
  const condition = {
    type: 'NetworkUnavailable',
    status: 'False',
    reason: REASON,
    message: 'Poplin is running on this node',
    lastHeartbeatTime: now,
    lastTransitionTime: wasFalse && typeof since === 'string' ? since : now,
  };
  return { status: { conditions: [condition] } };
}
