/** A speaker that runs alone, as a process: what it is told comes out of a file, and by signals and a socket. It has no command line. */
import { pino } from 'pino';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { keepHeapSmall, mapLargeBlocks, releaseProgram } from '#io/memory/index.ts';
import type { SpeakerSetup } from '../service/model.ts';
import { BgpService } from '../service/service.ts';
import { ControlServer } from './control-server.ts';
import { readApart } from './read-apart.ts';

/** What the program is started with to be a speaker, before what speak() takes. */
export const SPEAK = 'speak';

/** What a speaker reads its file by, and what it may be stopped by, and told by. */
export interface SpeakPorts {
  readonly readSetup: (file: string) => Promise<SpeakerSetup>;
  readonly stopped: Promise<void>;
  /** Calls when the configuration is to be read again; disposing ends it. */
  readonly onReload: (reload: () => void) => Disposable;
  /** It has begun. */
  readonly onSpeaking?: () => void;
}

/** Runs until it is stopped. Rejects with what is wrong with the file, or the system's error if it cannot listen. */
export async function runSpeaker(
  file: string,
  socket: string,
  ports: SpeakPorts,
  log = pino({ level: 'silent' }),
): Promise<void> {
  const setup = await ports.readSetup(file);
  await using service = new BgpService(setup, { clock: systemClock, random: systemRandom });
  using _watch = service.watch((event) => {
    if (event.type === 'session' || event.type === 'station') log.info(event, event.type);
    else log.warn(event, event.type);
  });
  let isStopped = false;
  const readAgain = async (): Promise<void> => {
    const next = await ports.readSetup(file);
    if (!isStopped) service.configure(next);
  };
  let before = Promise.resolve();
  /** One after the other: the last one counts. */
  const reload = (): Promise<void> => {
    const done = before.then(readAgain);
    before = done.catch(() => undefined);
    return done;
  };
  await using _control = await ControlServer.listen(socket, { service, reload });
  using _reload = ports.onReload(() => {
    reload().then(
      () => log.info({ file }, 'configuration read again'),
      (error: unknown) => log.error({ file, error: String(error) }, 'configuration left as it was'),
    );
  });
  log.info({ file, socket, asn: setup.speaker.asn, neighbors: setup.speaker.neighbors.length }, 'speaking');
  ports.onSpeaking?.();
  await ports.stopped;
  isStopped = true;
}

/** The process: until SIGTERM or SIGINT. Its arguments are the file, the socket and what is logged. */
export async function speak([file = '', socket = '', logLevel = 'info']: readonly string[]): Promise<void> {
  keepHeapSmall();
  mapLargeBlocks();
  const log = pino({ level: logLevel }, pino.destination(2));
  // Who asks while the file is being read for the first time may mean a later one: it is read again then.
  let isAsked = false;
  let onAsked = (): void => {
    isAsked = true;
  };
  process.on('SIGHUP', () => onAsked());
  const stopped = new Promise<void>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
  });
  const onReload = (reload: () => void): Disposable => {
    onAsked = reload;
    if (isAsked) reload();
    return { [Symbol.dispose]: () => (onAsked = () => {}) };
  };
  const [, program = ''] = process.argv;
  const readSetup = (path: string): Promise<SpeakerSetup> => readApart(program, path);
  await runSpeaker(file, socket, { stopped, onReload, readSetup, onSpeaking: releaseProgram }, log);
}
