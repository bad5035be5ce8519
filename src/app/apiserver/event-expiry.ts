/** Events are news: they are deleted an hour after they were last seen, as Kubernetes does. */
import { parseTimeMs } from '#base/rfc3339.ts';
import { objectOr, type ServedResource } from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { timestamp } from './clock.ts';
import type { ObjectWriter } from './writer.ts';

const LIFETIME_MS = 60 * 60 * 1000;
const INTERVAL_MS = 5 * 60 * 1000;

/** Whether the event was last seen more than its lifetime ago. */
export function isStale(event: KubeObject, nowMs: number): boolean {
  const times = [
    event.metadata.creationTimestamp,
    event['lastTimestamp'],
    objectOr(event['series'])['lastObservedTime'],
  ];
  const seen = Math.max(
    ...times.map((time) => (typeof time === 'string' ? parseTimeMs(time) : undefined) ?? 0),
  );
  return nowMs - seen > LIFETIME_MS;
}

/** Deletes stale events every few minutes, until stopped. */
export function startEventExpiry(
  writer: ObjectWriter,
  events: ServedResource,
  onError: (error: unknown) => void,
): () => void {
  const sweep = () => {
    const nowMs = Date.now();
    writer.expire(events, (event) => isStale(event, nowMs), timestamp()).catch(onError);
  };
  const timer = setInterval(sweep, INTERVAL_MS);
  timer.unref();
  sweep();
  return () => clearInterval(timer);
}
