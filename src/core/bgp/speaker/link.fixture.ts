/** Speakers joined without wire: what one's tables send, the other's hear. For tests. */
import type { Agreed, SessionNews, SessionSend } from '../ports.ts';
import type { NeighborConfig, SpeakerConfig } from './config.ts';
import { Speaker, type SpeakerAction } from './speaker.ts';

/** Speakers by name, whose neighbours' keys are names of others. */
export class Links {
  now = 0;
  readonly speakers = new Map<string, Speaker>();
  /** What each has done, in words: sessions begun and ended, batches sent. */
  readonly log: string[] = [];
  readonly #open = new Map<string, Set<string>>();
  readonly #up = new Set<string>();
  readonly #queue: (() => void)[] = [];

  add(name: string, config: SpeakerConfig): Speaker {
    const speaker = new Speaker(config, {}, this.now);
    this.speakers.set(name, speaker);
    this.#open.set(name, new Set());
    this.run();
    return speaker;
  }

  /** Until nobody has anything to say. */
  run(): this {
    for (;;) {
      for (const [name, speaker] of this.speakers)
        for (const action of speaker.flush(this.now)) this.#act(name, action);
      this.#establish();
      const jobs = this.#queue.splice(0);
      if (jobs.length === 0) return this;
      for (const job of jobs) job();
    }
  }

  #act(name: string, action: SpeakerAction): void {
    switch (action.type) {
      case 'open':
        this.log.push(`${name} opens ${action.neighbor.key}`);
        this.#open.get(name)?.add(action.neighbor.key);
        return;
      case 'settings':
        this.log.push(`${name} sets ${action.neighbor.key}`);
        return;
      case 'close':
        this.log.push(`${name} closes ${action.peer}: ${action.reason}`);
        if (action.reason !== 'changed') this.#open.get(name)?.delete(action.peer);
        this.#down(name, action.peer);
        return;
      case 'send':
        this.log.push(`${name} sends ${action.peer} ${action.sends.map(({ type }) => type).join(' ')}`);
        this.#queue.push(() => {
          if (!this.#up.has(pair(name, action.peer))) return;
          for (const send of action.sends) this.speakers.get(action.peer)?.take(name, heard(send), this.now);
          this.speakers.get(name)?.ready(action.peer);
        });
        return;
      case 'program':
      case 'event':
    }
  }

  #down(one: string, other: string): void {
    if (!this.#up.delete(pair(one, other))) return;
    const news = { type: 'down', keepsRoutes: false, reason: 'closed' } as const;
    this.speakers.get(other)?.take(one, news, this.now);
  }

  #establish(): void {
    for (const [one, others] of this.#open)
      for (const other of others) {
        if (this.#up.has(pair(one, other)) || this.#open.get(other)?.has(one) !== true) continue;
        this.#up.add(pair(one, other));
        for (const [from, to] of [
          [one, other],
          [other, one],
        ] as const) {
          const agreed = this.#agreed(from, to);
          this.#queue.push(() =>
            this.speakers.get(from)?.take(to, { type: 'established', agreed }, this.now),
          );
        }
      }
  }

  #agreed(one: string, other: string): Agreed {
    const [from, to] = [this.speakers.get(one), this.speakers.get(other)];
    const [ours, theirs] = [from?.neighbor(other), to?.neighbor(one)];
    if (from === undefined || to === undefined || ours === undefined || theirs === undefined)
      throw new Error(`no neighbours: ${one}, ${other}`);
    const peerAsn = theirs.session.localAsn ?? to.config.confederationId ?? to.config.asn;
    return {
      peerAsn,
      peerRouterId: to.config.routerId,
      peerAddress: ours.session.peerAddress ?? '',
      localAddress: theirs.session.peerAddress ?? '',
      relation: peerAsn === (ours.session.localAsn ?? from.config.asn) ? 'internal' : 'external',
      families: new Map(familiesOf(ours)),
      maxMessageBytes: 4096,
      hasFourOctetAsn: true,
      hasRouteRefresh: true,
      hasEnhancedRefresh: false,
    };
  }
}

function familiesOf({ session }: NeighborConfig) {
  return session.families.map(
    ({ family, addPathSend = false, addPathReceive = false, extendedNextHop = false }) =>
      [family, { addPathSend, addPathReceive, extendedNextHop }] as const,
  );
}

function heard(send: SessionSend): SessionNews {
  switch (send.type) {
    case 'announce':
      return { type: 'announced', update: send.update };
    case 'withdraw':
      return { type: 'withdrawn', withdrawal: send.withdrawal };
    default:
      return send;
  }
}

function pair(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
