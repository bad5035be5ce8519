/** Tells the service manager that this node is ready, if there is one that waits. */
import type { Logger } from 'pino';
import { notifySystemd } from '#io/systemd/index.ts';

/** What cannot be told is logged: it is no reason for the node not to go on. */
export function readyNotice(logger: Logger): () => void {
  return () => {
    try {
      notifySystemd('READY=1');
    } catch (error) {
      logger.warn({ err: error }, 'service manager not told');
    }
  };
}
