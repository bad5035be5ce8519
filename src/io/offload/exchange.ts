/** One datagram from one socket to another: whether it arrives, and if not, whether it was refused for its checksum. */
import type { Socket } from 'node:dgram';

interface ExchangeOptions {
  readonly from: Socket;
  readonly at: Socket;
  readonly to: { readonly address: string; readonly port: number };
  /** Counts the receiver's checksum errors. */
  readonly checksumErrors: () => number;
  readonly deadlineMs: number;
}

type ExchangeOutcome = 'arrived' | 'refused for a bad checksum' | 'lost';

/** The way may need a moment to come up: what is neither seen nor refused is sent again. */
const RESEND_MS = 10;
const LOOK_MS = 2;
let sequence = 0;

/** Resolves when the outcome is seen, or with `lost` at the deadline. */
export function exchange({
  from,
  at,
  to,
  checksumErrors,
  deadlineMs,
}: ExchangeOptions): Promise<ExchangeOutcome> {
  // Of one length always: the length goes into checksums.
  const text = `poplin ${String(sequence++).padStart(9, '0')}`;
  const errorsBefore = checksumErrors();
  const started = performance.now();
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeOutcome>();
  const receive = (message: Buffer) => message.toString('latin1') === text && resolve('arrived');
  const send = () => from.send(text, to.port, to.address, () => {});
  const look = () => {
    try {
      if (checksumErrors() > errorsBefore) resolve('refused for a bad checksum');
      else if (performance.now() - started >= deadlineMs) resolve('lost');
    } catch (error) {
      reject(error);
    }
  };
  at.on('message', receive);
  const timers = [setInterval(send, RESEND_MS), setInterval(look, LOOK_MS)];
  send();
  return promise.finally(() => {
    at.off('message', receive);
    for (const timer of timers) clearInterval(timer);
  });
}
