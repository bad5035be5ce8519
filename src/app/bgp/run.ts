/** `poplin bgp run`: a speaker in the foreground, out of a file. */
import type { Command } from 'commander';
import { pino } from 'pino';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import { ControlServer } from './control-server.ts';
import { BgpService } from './service/service.ts';
import { readSpeakerFile } from './speaker-file.ts';

/** Of a speaker that runs alone, unless it is given another. */
export const SPEAKER_SOCKET = '/run/poplin/bgp.sock';

/** What `run` may be stopped by, and told by. */
export interface RunPorts {
  readonly stopped: Promise<void>;
  /** Calls when the configuration is to be read again; disposing ends it. */
  readonly onReload: (reload: () => void) => Disposable;
}

/** Runs until it is stopped. Rejects with ConfigError, or the system's error if it cannot listen. */
export async function runSpeaker(
  file: string,
  socket: string,
  ports: RunPorts,
  log = pino({ level: 'silent' }),
): Promise<void> {
  const setup = readSpeakerFile(file);
  await using service = new BgpService(setup, { clock: systemClock, random: systemRandom });
  using _watch = service.watch((event) => {
    if (event.type === 'session' || event.type === 'station') log.info(event, event.type);
    else log.warn(event, event.type);
  });
  const reload = (): void => service.configure(readSpeakerFile(file));
  await using _control = await ControlServer.listen(socket, { service, reload });
  using _reload = ports.onReload(() => {
    try {
      reload();
      log.info({ file }, 'configuration read again');
    } catch (error) {
      log.error({ file, error: String(error) }, 'configuration left as it was');
    }
  });
  log.info({ file, socket, asn: setup.speaker.asn, neighbors: setup.speaker.neighbors.length }, 'speaking');
  await ports.stopped;
}

/** Adds the command. */
export function runCommand(command: Command): Command {
  return command
    .description('Run a speaker in the foreground: sessions with neighbors, as a file has them.')
    .requiredOption('-f, --file <path>', 'YAML: asn, routerId, neighbors and more ("poplin bgp schema")')
    .option('--socket <path>', 'where other commands ask it', SPEAKER_SOCKET)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent', 'info')
    .addHelpText(
      'after',
      `
A file:
  asn: 65001
  routerId: 10.0.0.1
  routes: [10.42.0.0/16]
  neighbors:
    - name: tor
      address: 10.0.0.254
      asn: 65000

SIGHUP, or "poplin bgp reload", reads the file again; sessions end only where they must. SIGTERM ends them all with a word
to each neighbor. Routes are learned and told, and not programmed into the kernel. The log is JSON lines on standard error.`,
    )
    .action(async (flags: { readonly file: string; readonly socket: string; readonly logLevel: string }) => {
      restartSmall();
      keepHeapSmall();
      const log = pino({ level: flags.logLevel }, pino.destination(2));
      const stopped = new Promise<void>((resolve) => {
        for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
      });
      const onReload = (reload: () => void): Disposable => {
        process.on('SIGHUP', reload);
        return { [Symbol.dispose]: () => process.off('SIGHUP', reload) };
      };
      await runSpeaker(flags.file, flags.socket, { stopped, onReload }, log);
    });
}
