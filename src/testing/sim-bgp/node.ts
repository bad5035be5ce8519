/** A node of a simulated cluster: a real speaker with real sessions on a simulated network, which keeps to the cluster's plan for its mesh. */
import type { Random } from '#base/clock.ts';
import { canonicalIp, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import type { SessionNews } from '#core/bgp/index.ts';
import {
  type HeldSession,
  type MeshPlan,
  type MeshSession,
  meshNeighbors,
  nextSessions,
} from '#core/bgp/mesh/index.ts';
import { solePeers } from '#core/bgp/rib/index.ts';
import { type NeighborConfig, Speaker, type SpeakerAction, sessionConfig } from '#core/bgp/speaker/index.ts';
import type { AttributeMemory } from '#core/bgp/wire/index.ts';
import type { SimAgenda } from './agenda.ts';
import { SimSession } from './session.ts';
import type { SimWire } from './wire.ts';

export interface SimNodePorts {
  readonly families: readonly IpFamily[];
  readonly agenda: SimAgenda;
  readonly wire: SimWire;
  readonly random: Random;
  readonly memory: AttributeMemory;
  readonly addressOf: (name: string) => string | undefined;
  /** Told whenever packets to a prefix go another way, or none. */
  readonly onProgram: (node: SimNode, prefix: string, nextHop: string | undefined) => void;
}

const ASN = 64_512;
/** How long after a session has changed a node looks whether others can go. */
const REVIEW_MS = 1000;
/** Of the hold time nothing depends in a simulation but how much of it there is. */
const HOLD_SEC = 90;

/** The IPv6 address of a node with an IPv4 address. */
export function ipv6Of(address: IpAddress): IpAddress {
  return canonicalIp(`fd00::${address.replaceAll('.', ':')}`) ?? '';
}

export class SimNode {
  readonly name: string;
  readonly address: string;
  readonly routerId: number;
  readonly speaker: Speaker;
  readonly prefixes: readonly string[];
  /** Prefix to next hop, of what was learned. */
  readonly programmed = new Map<string, string>();
  /** Sessions that are up. */
  readonly up = new Set<string>();
  readonly #ports: SimNodePorts;
  readonly #sessions = new Map<string, SimSession>();
  readonly #complete = new Set<string>();
  #sessionsNow: readonly MeshSession[] = [];
  #wanted: readonly MeshSession[] = [];
  #isFlushDue = false;
  #isReviewDue = false;
  #isGone = false;

  constructor(
    name: string,
    number: number,
    prefixes: readonly string[],
    ports: SimNodePorts,
    address: string,
  ) {
    this.name = name;
    this.address = address;
    this.routerId = number + 1;
    this.prefixes = prefixes;
    this.#ports = ports;
    const routes = prefixes.map((prefix) => ({ prefix, origin: 'pods' }));
    const config = { asn: ASN, routerId: this.routerId, neighbors: [], routes, aggregates: [] };
    this.speaker = new Speaker(config, {}, ports.agenda.now());
    ports.wire.listen(address, (end) => {
      const peer = [...this.#sessions].find(
        ([key]) => ports.addressOf(key) === end.remoteAddress && this.#sessions.has(key),
      );
      if (peer === undefined) end.close();
      else peer[1].accept(end);
    });
  }

  /** Sessions it has or tries to have. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  follow(plan: MeshPlan): void {
    this.#wanted = plan.sessionsOf(this.name);
    this.#review();
  }

  /** It is gone without a word; the network still has what it sent. */
  vanish(): void {
    this.#isGone = true;
    this.#ports.wire.unlisten(this.address);
    for (const session of this.#sessions.values()) session.vanish();
    this.#sessions.clear();
    this.up.clear();
  }

  #review(): void {
    if (this.#isGone) return;
    const wantedPeers = new Set(this.#wanted.map(({ peer }) => peer));
    const isExtra = this.#sessionsNow.some(({ peer }) => !wantedPeers.has(peer));
    const sole = isExtra ? solePeers(this.speaker.rib.tables, wantedPeers) : new Set<string>();
    const held: readonly HeldSession[] = this.#sessionsNow.map((session) => ({
      ...session,
      isEstablished: this.up.has(session.peer),
      isComplete: this.#complete.has(session.peer),
      isRedundant: !sole.has(session.peer),
    }));
    this.#sessionsNow = nextSessions(this.#wanted, held);
    const families = this.#ports.families.map((family) => ({ family }));
    const template = {
      peerAsn: ASN,
      families,
      holdTimeSec: HOLD_SEC,
      restart: { restartTimeSec: 120 },
      localAddress: this.address,
    };
    const policy = { nextHops: { 6: ipv6Of(this.address) } };
    const neighbors = meshNeighbors(this.#sessionsNow, this.#ports.addressOf, template, policy);
    this.speaker.configure({ ...this.speaker.config, neighbors }, this.#ports.agenda.now());
    this.#flushSoon();
    // Somebody may have learned in the meantime what a session was kept for.
    if (this.#sessionsNow.length !== this.#wanted.length) this.#reviewSoon();
  }

  #reviewSoon(): void {
    if (this.#isReviewDue) return;
    this.#isReviewDue = true;
    this.#ports.agenda.after(REVIEW_MS, () => {
      this.#isReviewDue = false;
      this.#review();
    });
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#ports.agenda.after(0, () => {
      this.#isFlushDue = false;
      if (!this.#isGone) this.#flush();
    });
  }

  #flush(): void {
    const { agenda } = this.#ports;
    for (const action of this.speaker.flush(agenda.now())) this.#act(action);
    if (this.speaker.isUnfinished) this.#flushSoon();
    const { wake } = this.speaker;
    if (wake !== undefined) agenda.after(wake - agenda.now(), () => this.#flushSoon());
  }

  #act(action: SpeakerAction): void {
    switch (action.type) {
      case 'open':
        this.#open(action.neighbor);
        return;
      case 'close':
        this.#sessions.get(action.peer)?.stop();
        this.#sessions.delete(action.peer);
        this.up.delete(action.peer);
        this.#complete.delete(action.peer);
        return;
      case 'send':
        for (const send of action.sends) this.#sessions.get(action.peer)?.send(send);
        this.speaker.ready(action.peer);
        this.#flushSoon();
        return;
      case 'program':
        for (const { prefix, route } of action.changes) {
          if (route?.peer === '') continue;
          const nextHop = route?.nextHops[0]?.address;
          if (nextHop === undefined) this.programmed.delete(prefix);
          else this.programmed.set(prefix, nextHop);
          this.#ports.onProgram(this, prefix, nextHop);
        }
        return;
      case 'settings':
      case 'event':
    }
  }

  #open(neighbor: NeighborConfig): void {
    const { key } = neighbor;
    const { peerAddress = '' } = neighbor.session;
    const session = new SimSession(sessionConfig(this.speaker.config, neighbor, peerAddress), this.address, {
      agenda: this.#ports.agenda,
      wire: this.#ports.wire,
      random: this.#ports.random,
      memory: this.#ports.memory,
      onNews: (news) => {
        if (this.#sessions.get(key) === session) this.#hear(key, news);
      },
    });
    this.#sessions.set(key, session);
    session.start();
  }

  #hear(peer: string, news: SessionNews): void {
    if (this.#isGone) return;
    this.speaker.take(peer, news, this.#ports.agenda.now());
    if (news.type === 'established') this.up.add(peer);
    else if (news.type === 'down') {
      this.up.delete(peer);
      this.#complete.delete(peer);
    } else if (news.type === 'end-of-rib') this.#complete.add(peer);
    if (news.type !== 'announced' && news.type !== 'withdrawn') this.#reviewSoon();
    this.#flushSoon();
  }
}
