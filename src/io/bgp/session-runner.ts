/** Keeps a session's state machine running: its timers, its connections, its bytes. What it decides, the machine decides (core/bgp/session). */
import type { Clock, Random } from '#base/clock.ts';
import {
  newSession,
  type Phase,
  readEvents,
  type SessionAction,
  type SessionConfig,
  type SessionEvent,
  type SessionNews,
  type SessionSend,
  type SessionState,
  stepSession,
  type TimerName,
} from '#core/bgp/session/index.ts';
import { ERROR, MessageFramer, type Notification, notificationOf } from '#core/bgp/wire/index.ts';
import type { Direction } from './message-counts.ts';
import type { DialHandlers } from './tcp-dial.ts';
import type { TcpStream } from './tcp-stream.ts';
import { type Talk, Transcript } from './transcript.ts';

export interface SessionRunnerOptions {
  readonly config: SessionConfig;
  readonly clock: Clock;
  readonly random: Random;
  /** Begins to connect; disposing of what it returns ends the attempt. */
  readonly dial: (handlers: DialHandlers) => Disposable;
  /** In order, never while send() or another call of the runner is under way that the caller is in. */
  readonly onNews: (news: SessionNews) => void;
  /** What is of interest to people and to metrics, and is no news. */
  readonly onReport?: (report: SessionReport) => void;
  /** Each message, whole, of any connection: before it is taken in, or when it is on its way. */
  readonly onMessage?: (direction: Direction, bytes: Uint8Array) => void;
  /** Nothing waits to be sent any more, after send() had returned false. */
  readonly onDrain?: () => void;
}

export type SessionReport =
  | Extract<SessionAction, { type: 'ended' | 'fault' | 'unsent' }>
  | { readonly type: 'phase'; readonly phase: Phase };

interface Line {
  readonly stream: TcpStream;
  readonly framer: MessageFramer;
  readonly transcript: Transcript;
}

/** More than this waiting, and the tables had better wait as well. */
const HIGH_WATER_BYTES = 1024 * 1024;
/** RFC 9687 section 3.2: a peer that takes nothing for so long is given up. */
const SEND_HOLD_MS = 480_000;

export class SessionRunner {
  readonly #options: SessionRunnerOptions;
  #state: SessionState;
  #nextLine = 1;
  readonly #lines = new Map<number, Line>();
  /** Closed by us, and not gone yet. */
  readonly #leaving = new Set<TcpStream>();
  readonly #timers = new Map<TimerName, Disposable>();
  /** Set, with its delay, or to be cleared, as soon as all that is known has been told to the machine. */
  readonly #timerWishes = new Map<TimerName, number | undefined>();
  readonly #events: SessionEvent[] = [];
  #isBusy = false;
  /** send() has said so, and nothing else since. */
  #isHeldUp = false;
  #attempt: Disposable | undefined;
  #sendHold: Disposable | undefined;
  #transcript: Transcript | undefined;

  constructor(options: SessionRunnerOptions) {
    this.#options = options;
    this.#state = newSession(options.config);
  }

  /** Of the connection on which a session was established last. */
  get talk(): Talk | undefined {
    return this.#transcript?.talk;
  }

  get state(): SessionState {
    return this.#state;
  }

  start(): void {
    this.#tell({ type: 'start' });
  }

  /** Until the next start; an administrative shutdown, if nothing else is said. */
  stop(notification?: Notification): void {
    this.#tell(notification === undefined ? { type: 'stop' } : { type: 'stop', notification });
  }

  /** Ends the session; the next attempt comes by itself. */
  reset(notification: Notification): void {
    this.#tell({ type: 'reset', notification });
  }

  /** A connection that the peer has made. */
  accept(stream: TcpStream): void {
    const connection = this.#adopt(stream);
    this.#tell({ type: 'accepted', connection, localAddress: stream.localAddress });
  }

  /** False if so much waits to be sent that onDrain had better be waited for. What is said without a session is lost. */
  send(send: SessionSend): boolean {
    this.#tell({ type: 'send', send });
    const line = this.#mainLine;
    this.#isHeldUp = line !== undefined && line.stream.waitingBytes >= HIGH_WATER_BYTES;
    return !this.#isHeldUp;
  }

  /** Stops, and waits until the last word is out or the peer has had its time. */
  async close(notification?: Notification): Promise<void> {
    this.stop(notification);
    await Promise.all([...this.#leaving].map(({ closed }) => closed));
  }

  /** Events in order, whoever tells them: what is told while actions are carried out waits for them. */
  #tell(event: SessionEvent): void {
    this.#events.push(event);
    if (!this.#isBusy) this.#work();
  }

  #work(): void {
    this.#isBusy = true;
    try {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift())
        this.#step(event);
    } finally {
      this.#isBusy = false;
    }
    this.#grantTimers();
  }

  #step(event: SessionEvent): void {
    const before = this.#state.phase;
    const { state, actions } = stepSession(this.#state, event, this.#options.random);
    this.#state = state;
    for (const action of actions) this.#carryOut(action);
    if (state.phase !== before) this.#options.onReport?.({ type: 'phase', phase: state.phase });
  }

  #carryOut(action: SessionAction): void {
    switch (action.type) {
      case 'connect':
        this.#attempt = this.#options.dial({
          onStream: (stream) => {
            const connection = this.#adopt(stream);
            this.#tell({ type: 'connected', connection, localAddress: stream.localAddress });
          },
          onFailure: (reason) => this.#tell({ type: 'connect-failed', reason }),
        });
        return;
      case 'cancel-connect':
        this.#attempt?.[Symbol.dispose]();
        return;
      case 'send':
        this.#write(action.connection, action.bytes);
        this.#watchSending();
        return;
      case 'close':
        return this.#dismiss(action.connection);
      case 'limit': {
        const line = this.#lines.get(action.connection);
        if (line !== undefined) line.framer.maxMessageBytes = action.maxMessageBytes;
        return;
      }
      case 'set-timer':
        this.#timerWishes.set(action.timer, action.ms);
        return;
      case 'clear-timer':
        this.#timerWishes.set(action.timer, undefined);
        return;
      case 'news':
        if (action.news.type === 'established') this.#transcript = this.#mainLine?.transcript;
        return this.#options.onNews(action.news);
      case 'ended':
      case 'fault':
      case 'unsent':
        return this.#options.onReport?.(action);
    }
  }

  get #mainLine(): Line | undefined {
    const { main } = this.#state;
    return main && this.#lines.get(main.id);
  }

  #write(connection: number, bytes: Uint8Array): void {
    const line = this.#lines.get(connection);
    line?.stream.write(bytes);
    line?.transcript.note('out', bytes);
    this.#options.onMessage?.('out', bytes);
  }

  #grantTimers(): void {
    for (const [timer, ms] of this.#timerWishes) {
      this.#timers.get(timer)?.[Symbol.dispose]();
      this.#timers.delete(timer);
      if (ms === undefined) continue;
      const expire = () => {
        this.#timers.delete(timer);
        this.#tell({ type: 'timer', timer });
      };
      this.#timers.set(timer, this.#options.clock.setTimeout(ms, expire));
    }
    this.#timerWishes.clear();
  }

  #adopt(stream: TcpStream): number {
    const id = this.#nextLine++;
    const line: Line = { stream, framer: new MessageFramer(), transcript: new Transcript(stream) };
    this.#lines.set(id, line);
    // The machine is told of the connection first.
    process.nextTick(() => {
      if (!this.#lines.has(id)) return;
      stream.start({
        onBytes: (bytes) => this.#read(id, line, bytes),
        onEnd: (reason) => {
          this.#forget(id);
          this.#tell({ type: 'closed', connection: id, reason });
        },
        onDrain: () => {
          if (!this.#isHeldUp) return;
          this.#isHeldUp = false;
          this.#options.onDrain?.();
        },
      });
    });
    return id;
  }

  /** Timers that each of many UPDATEs would set are set once, behind the last. */
  #read(id: number, { framer, transcript }: Line, bytes: Uint8Array): void {
    framer.push(bytes);
    this.#isBusy = true;
    const onMessage = (message: Uint8Array): void => {
      transcript.note('in', message);
      this.#options.onMessage?.('in', message);
    };
    try {
      for (const event of readEvents(framer, id, onMessage)) {
        this.#step(event);
        if (!this.#lines.has(id)) break;
      }
    } finally {
      this.#isBusy = false;
    }
    this.#work();
  }

  #dismiss(id: number): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    this.#forget(id);
    const { stream } = line;
    this.#leaving.add(stream);
    void stream.closed.then(() => this.#leaving.delete(stream));
    stream.end();
  }

  #forget(id: number): void {
    this.#lines.delete(id);
    if (this.#lines.size > 0) return;
    this.#sendHold?.[Symbol.dispose]();
    this.#sendHold = undefined;
  }

  /** RFC 9687: as long as bytes wait, some have to go out now and then. */
  #watchSending(): void {
    if (this.#sendHold !== undefined) return;
    const stream = this.#mainLine?.stream;
    if (stream === undefined) return;
    const before = stream.sentBytes;
    this.#sendHold = this.#options.clock.setTimeout(SEND_HOLD_MS, () => {
      this.#sendHold = undefined;
      if (stream.waitingBytes === 0) return;
      if (stream.sentBytes === before) this.reset(notificationOf(ERROR.sendHoldTimer));
      else this.#watchSending();
    });
  }
}
