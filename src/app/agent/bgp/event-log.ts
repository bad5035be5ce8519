/** What the log has of the speaker's sessions, tables and BMP stations. */
import type { Logger } from 'pino';
import type { ServiceEvent } from '#app/bgp/service/index.ts';

export class EventLog {
  readonly #logger: Logger;
  /** Peers of whose session something is wrong since it began: it is told once. */
  readonly #faulty = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  hear(event: ServiceEvent): void {
    const logger = this.#logger;
    if (event.type === 'session') {
      const { peer, isUp, reason } = event;
      this.#faulty.delete(peer);
      logger.info({ peer, isUp, reason }, 'BGP session');
    } else if (event.type === 'station') logger.info(event, 'BGP: a BMP station');
    else if (event.type === 'table') logger.info(event.event, 'BGP routes of a peer');
    else if (event.type === 'fault' && !this.#faulty.has(event.peer)) {
      this.#faulty.add(event.peer);
      logger.warn({ peer: event.peer, fault: event.text }, 'BGP: something of a session is wrong');
    }
  }
}
