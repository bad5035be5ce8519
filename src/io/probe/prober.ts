/**
 * Probes with real packets: every endpoint answers UDP datagrams on its own addresses with the source address it saw, and asks the
 * others. Datagrams that get lost while neighbours are found are sent again; what stays unanswered has failed.
 */
import type { Socket } from 'node:dgram';
import { canonicalIp, familyOf, type IpFamily } from '#base/ip/index.ts';
import type { Endpoint, Probe, ProbeOutcome } from '#core/lab/index.ts';
import { type Namespace, openNamespace } from '#io/namespace/index.ts';
import { udpSocketIn } from './socket.ts';

export interface ProbedEndpoint extends Endpoint {
  /** Its network namespace. */
  readonly netns: string;
}

/** Where probes are sent, by UDP. */
export const PROBE_PORT = 7117;
const TRIES = 4;
const TRY_MS = 400;
const AT_ONCE = 128;
const ANY: Readonly<Record<IpFamily, string>> = { 4: '0.0.0.0', 6: '::' };

interface Waiting {
  readonly answered: (seen: string) => void;
}

export class Prober implements AsyncDisposable {
  private readonly sockets: Socket[] = [];
  private readonly senders = new Map<string, Socket>();
  private readonly waiting = new Map<string, Waiting>();
  private sequence = 0;

  /** Opens the sockets of all endpoints. Rejects with an error that names the endpoint. */
  static async open(endpoints: readonly ProbedEndpoint[]): Promise<Prober> {
    const prober = new Prober();
    try {
      for (const endpoint of endpoints) await prober.join(endpoint);
    } catch (error) {
      await prober[Symbol.asyncDispose]();
      throw error;
    }
    return prober;
  }

  /** All probes, some at once, in any order of completion; outcomes in the order of the probes. */
  async run(probes: readonly Probe[]): Promise<ProbeOutcome[]> {
    const outcomes: ProbeOutcome[] = [];
    let next = 0;
    const worker = async () => {
      for (let at = next++; at < probes.length; at = next++)
        outcomes[at] = await this.probe(probes[at] as Probe);
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, probes.length) }, worker));
    return outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
    );
  }

  private async join(endpoint: ProbedEndpoint): Promise<void> {
    using namespace = openNamespace(endpoint.netns);
    try {
      for (const address of endpoint.targets) await this.answerOn(namespace, address);
      for (const family of [4, 6] as const) {
        if (endpoint.own.some((own) => familyOf(own) === family))
          await this.askFrom(namespace, endpoint, family);
      }
    } catch (error) {
      throw new Error(`${endpoint.name}: cannot open a probe socket: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  private async answerOn(namespace: Namespace, address: string): Promise<void> {
    const socket = await udpSocketIn(namespace, address, PROBE_PORT);
    this.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('message', (message, sender) => {
      const answer = `${message.toString('latin1')} ${withoutZone(sender.address)}`;
      socket.send(answer, sender.port, sender.address, () => {});
    });
  }

  private async askFrom(namespace: Namespace, endpoint: Endpoint, family: IpFamily): Promise<void> {
    const socket = await udpSocketIn(namespace, ANY[family], 0);
    this.sockets.push(socket);
    this.senders.set(`${endpoint.name} ${family}`, socket);
    socket.on('error', () => {});
    socket.on('message', (message) => {
      const [id, seen] = message.toString('latin1').split(' ');
      if (id !== undefined && seen !== undefined) this.waiting.get(id)?.answered(seen);
    });
  }

  private async probe(probe: Probe): Promise<ProbeOutcome> {
    const socket = this.senders.get(`${probe.source.name} ${probe.family}`);
    if (socket === undefined) return { probe, reason: `${probe.source.name} has no IPv${probe.family}` };
    let reason = `no answer in ${TRIES * TRY_MS} ms`;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const started = performance.now();
      const answer = await this.ask(socket, probe.address);
      if ('reason' in answer) {
        reason = answer.reason ?? reason;
        continue;
      }
      return {
        probe,
        seen: canonicalIp(answer.seen) ?? answer.seen,
        roundTripUs: Math.round((performance.now() - started) * 1000),
      };
    }
    return { probe, reason };
  }

  private ask(socket: Socket, address: string): Promise<{ seen: string } | { reason: string | undefined }> {
    const id = `poplin-${process.pid}-${this.sequence++}`;
    return new Promise((resolve) => {
      const end = (answer: { seen: string } | { reason: string | undefined }, later: boolean) => {
        this.waiting.delete(id);
        if (!later) clearTimeout(timer);
        resolve(answer);
      };
      let reason: string | undefined;
      const timer = setTimeout(() => end({ reason }, true), TRY_MS);
      this.waiting.set(id, { answered: (seen) => end({ seen }, false) });
      socket.send(id, PROBE_PORT, address, (error) => {
        // An unreachable destination may become reachable: the try goes on, the reason is kept.
        if (error) reason = error.message;
      });
    });
  }
}

function withoutZone(address: string): string {
  return address.split('%')[0] as string;
}
