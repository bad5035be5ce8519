/** A session of a simulated node: the real state machine on a simulated stream, with timers that are looked at when they fall due. */
import type { Random } from '#base/clock.ts';
import type { SessionNews, SessionSend } from '#core/bgp/index.ts';
import {
  newSession,
  readEvents,
  type SessionAction,
  type SessionConfig,
  type SessionEvent,
  type SessionState,
  stepSession,
  type TimerName,
} from '#core/bgp/session/index.ts';
import { type AttributeMemory, MessageFramer } from '#core/bgp/wire/index.ts';
import type { SimAgenda } from './agenda.ts';
import type { SimEnd, SimWire } from './wire.ts';

export interface SimSessionPorts {
  readonly agenda: SimAgenda;
  readonly wire: SimWire;
  readonly random: Random;
  /** Of all sessions: what a thousand nodes have read is the same. */
  readonly memory: AttributeMemory;
  readonly onNews: (news: SessionNews) => void;
}

interface Stream {
  readonly end: SimEnd;
  readonly framer: MessageFramer;
}

let streams = 0;

export class SimSession {
  readonly #ports: SimSessionPorts;
  readonly #localAddress: string;
  readonly #streams = new Map<number, Stream>();
  readonly #timers = new Map<TimerName, number>();
  readonly #pending: SessionEvent[] = [];
  #isStepping = false;
  #state: SessionState;
  /** Attempts to connect that were given up answer in vain. */
  #attempt = 0;
  #wakeAt = Infinity;

  constructor(config: SessionConfig, localAddress: string, ports: SimSessionPorts) {
    this.#state = newSession(config, ports.memory);
    this.#localAddress = localAddress;
    this.#ports = ports;
  }

  start(): void {
    this.#step({ type: 'start' });
  }

  stop(): void {
    this.#step({ type: 'stop' });
  }

  /** The node is gone, without a word. */
  vanish(): void {
    for (const { end } of this.#streams.values()) end.isOpen = false;
    this.#streams.clear();
    this.#timers.clear();
    this.#attempt++;
  }

  accept(end: SimEnd): void {
    this.#step({ type: 'accepted', connection: this.#add(end), localAddress: end.localAddress });
  }

  send(send: SessionSend): void {
    this.#step({ type: 'send', send });
  }

  #add(end: SimEnd): number {
    const id = ++streams;
    const framer = new MessageFramer();
    this.#streams.set(id, { end, framer });
    end.onBytes = (bytes) => {
      framer.push(bytes);
      for (const event of readEvents(framer, id)) this.#step(event);
    };
    end.onClose = () => this.#step({ type: 'closed', connection: id, reason: 'closed by the peer' });
    return id;
  }

  /** What comes of an event is done before the next one. */
  #step(event: SessionEvent): void {
    this.#pending.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      const { state, actions } = stepSession(this.#state, next, this.#ports.random);
      this.#state = state;
      for (const action of actions) this.#act(action);
    }
    this.#isStepping = false;
  }

  #act(action: SessionAction): void {
    switch (action.type) {
      case 'connect':
        this.#connect();
        return;
      case 'cancel-connect':
        this.#attempt++;
        return;
      case 'close':
        this.#streams.get(action.connection)?.end.close();
        this.#streams.delete(action.connection);
        return;
      case 'send':
        this.#streams.get(action.connection)?.end.send(action.bytes);
        return;
      case 'limit': {
        const stream = this.#streams.get(action.connection);
        if (stream !== undefined) stream.framer.maxMessageBytes = action.maxMessageBytes;
        return;
      }
      case 'set-timer':
        this.#setTimer(action.timer, action.ms);
        return;
      case 'clear-timer':
        this.#timers.delete(action.timer);
        return;
      case 'news':
        this.#ports.onNews(action.news);
        return;
      case 'fault':
      case 'unsent':
        throw new Error(`${this.#localAddress}: ${JSON.stringify(action)}`);
      case 'ended':
    }
  }

  #connect(): void {
    const attempt = ++this.#attempt;
    const { peerAddress } = this.#state.config;
    this.#ports.wire.connect(this.#localAddress, peerAddress, (end) => {
      if (attempt !== this.#attempt) end?.close();
      else if (end === undefined) this.#step({ type: 'connect-failed', reason: 'refused' });
      else this.#step({ type: 'connected', connection: this.#add(end), localAddress: end.localAddress });
    });
  }

  #setTimer(timer: TimerName, ms: number): void {
    const at = this.#ports.agenda.now() + ms;
    this.#timers.set(timer, at);
    this.#wake(at);
  }

  // Timers that are put off all the time, such as hold, cost nothing but a look when they would have been due.
  #wake(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#ports.agenda.after(at - this.#ports.agenda.now(), () => {
      if (this.#wakeAt !== at) return;
      this.#wakeAt = Infinity;
      const now = this.#ports.agenda.now();
      for (const [timer, due] of [...this.#timers])
        if (due <= now && this.#timers.delete(timer)) this.#step({ type: 'timer', timer });
      for (const due of this.#timers.values()) this.#wake(due);
    });
  }
}
