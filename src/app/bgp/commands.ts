/** `poplin bgp`: a speaker, and questions and orders to one that runs. */
import { Command } from 'commander';
import { z } from 'zod';
import type { RouteView, TableAttributes } from '#core/bgp/rib/index.ts';
import type { Why } from '#core/bgp/speaker/index.ts';
import { ask, askLines, type Places, SpeakerError } from './control-client.ts';
import { dumpTables, type SpeakerSummary } from './dump.ts';
import { runCommand, SPEAKER_SOCKET, setupCommand } from './run.ts';
import type { Announced } from './service/control.ts';
import type { ServiceEvent } from './service/model.ts';
import { neighborNamed } from './service/neighbor-name.ts';
import { SPEAKER_SCHEMA } from './speaker-schema.ts';
import { announcedText, eventText, neighborText, routeText, summaryText, toldText, whyText } from './text.ts';

interface Flags {
  /** Where a speaker may be, in the order in which they are asked. */
  readonly places: Places;
  readonly json?: boolean;
}

/** Where the socket of an agent is whose files are below a folder. */
type AgentSocket = (rootDir: string) => Promise<string>;

/** All of them. */
export function bgpCommands(agentSocket: AgentSocket): Command {
  const command = new Command('bgp').description('Speak BGP, and ask a speaker what it knows and why.');
  const questions = [
    ...[summaryCommand(), neighborCommand(), routesCommand(), whyCommand()],
    ...[announceCommand(), withdrawCommand(), softResetCommand(), reloadCommand(), monitorCommand()],
    dumpCommand(),
  ];
  for (const each of questions)
    each
      .option('--socket <path>', `of the speaker; else the agent's where it speaks BGP, or ${SPEAKER_SOCKET}`)
      .option('--root-dir <dir>', "the agent's --root-dir", '/')
      .hook('preAction', async (_, asked) => {
        const { socket, rootDir } = asked.opts<{ readonly socket?: string; readonly rootDir: string }>();
        const places = socket === undefined ? [await agentSocket(rootDir), SPEAKER_SOCKET] : [socket];
        asked.setOptionValue('places', places);
      });
  for (const each of [runCommand(new Command('run')), ...questions, schemaCommand()])
    command.addCommand(each);
  return command.addCommand(setupCommand(), { hidden: true });
}

function question(name: string): Command {
  return new Command(name).option('--json', 'JSON');
}

function summaryCommand(): Command {
  return question('summary')
    .description('Neighbors in a line each. Numbers are of IPv4/IPv6.')
    .action((flags: Flags) =>
      telling(async () => {
        const summary = (await ask(flags.places, 'GET', '/summary')) as SpeakerSummary;
        print(flags, summary, summaryText(summary, Date.now()));
      }),
    );
}

function neighborCommand(): Command {
  return question('neighbor')
    .description('All about one neighbor.')
    .argument('<name>', 'its name, its address, or its link')
    .action((name: string, flags: Flags) =>
      telling(async () => {
        const { neighbors } = (await ask(flags.places, 'GET', '/summary')) as SpeakerSummary;
        const found = neighborNamed(neighbors, name);
        if (found === undefined) throw new SpeakerError(`no such neighbor: "${name}"`);
        print(flags, found, neighborText(found, Date.now()));
      }),
    );
}

function routesCommand(): Command {
  return question('routes')
    .description('Routes: > is the best, = is as good and used, x was refused, ! cannot be reached.')
    .option('-4', 'IPv4 alone')
    .option('-6', 'IPv6 alone')
    .option('--peer <name>', 'learned from this neighbor')
    .option('--told <name>', 'told to this neighbor')
    .option('--best', 'those that are used')
    .action((flags: Flags & Readonly<Record<string, string | true | undefined>>) =>
      telling(async () => {
        const { peer, told, best } = flags;
        const family = flags['4'] === true ? '4' : flags['6'] === true ? '6' : undefined;
        for await (const line of askLines(flags.places, 'GET', '/routes', { family, peer, told, best })) {
          if (flags.json === true) process.stdout.write(`${line}\n`);
          else if (told === undefined) process.stdout.write(routeText(JSON.parse(line) as RouteView));
          else
            process.stdout.write(
              toldText(JSON.parse(line) as { prefix: string; attributes: TableAttributes }),
            );
        }
      }),
    );
}

function whyCommand(): Command {
  return question('why')
    .description('Why a prefix goes where it goes, what filters said of it, and who is told.')
    .argument('<prefix>', 'such as 10.42.0.0/16')
    .action((prefix: string, flags: Flags) =>
      telling(async () => {
        const value = (await ask(flags.places, 'GET', '/why', { prefix })) as Why;
        print(flags, value, whyText(value));
      }),
    );
}

function dumpCommand(): Command {
  return question('dump')
    .description('Write all routes, as they were received, into an MRT file (RFC 6396).')
    .argument('<file>', 'is replaced if it is there')
    .addHelpText('after', '\nExample: poplin bgp dump /tmp/table.mrt')
    .action((file: string, flags: Flags) =>
      telling(async () => {
        const summary = (await ask(flags.places, 'GET', '/summary')) as SpeakerSummary;
        const lines = askLines(flags.places, 'GET', '/routes');
        const prefixes = await dumpTables(file, summary, lines, Math.floor(Date.now() / 1000));
        print(flags, { file, prefixes }, `${prefixes} prefixes in ${file}\n`);
      }),
    );
}

function announceCommand(): Command {
  return question('announce')
    .description('Announce a prefix, until it is withdrawn or the speaker ends. Export filters count for it.')
    .argument('<prefix>', 'such as 10.42.0.0/16')
    .option('--community <value...>', 'such as 64512:1 or no-export')
    .option('--med <number>', 'multi-exit discriminator')
    .option('--local-pref <number>', 'local preference')
    .option('--next-hop <address>', 'instead of ourselves')
    .option('--discard', 'throw away what no longer route takes')
    .action((prefix: string, flags: Flags & Readonly<Record<string, string | true | undefined>>) =>
      telling(async () => {
        const { community, med, localPref, nextHop, discard } = flags;
        const value = (await ask(flags.places, 'POST', '/announce', {
          prefix,
          community,
          med,
          localPref,
          nextHop,
          discard,
        })) as Announced;
        print(flags, value, announcedText(value));
      }),
    );
}

function withdrawCommand(): Command {
  return question('withdraw')
    .description('Withdraw what was announced by "poplin bgp announce".')
    .argument('<prefix>', 'such as 10.42.0.0/16')
    .action((prefix: string, flags: Flags) =>
      telling(async () => print(flags, await ask(flags.places, 'POST', '/withdraw', { prefix }), '')),
    );
}

function softResetCommand(): Command {
  return question('soft-reset')
    .description(
      'Ask the filters again about all a neighbor said (in), tell it everything again (out), or both.',
    )
    .argument('<neighbor>', 'its name, its address, or its link')
    .option('--direction <in|out>', 'one of both')
    .action((peer: string, flags: Flags & { readonly direction?: string }) =>
      telling(async () => {
        const { direction } = flags;
        print(flags, await ask(flags.places, 'POST', '/soft-reset', { peer, direction }), '');
      }),
    );
}

function reloadCommand(): Command {
  return question('reload')
    .description('Read the file again. Sessions end only where they must.')
    .action((flags: Flags) =>
      telling(async () => print(flags, await ask(flags.places, 'POST', '/reload'), '')),
    );
}

function monitorCommand(): Command {
  return question('monitor')
    .description('Sessions and best routes as they change, until interrupted.')
    .action((flags: Flags) =>
      telling(async () => {
        for await (const line of askLines(flags.places, 'GET', '/monitor'))
          process.stdout.write(
            flags.json === true ? `${line}\n` : eventText(JSON.parse(line) as ServiceEvent),
          );
      }),
    );
}

function schemaCommand(): Command {
  return new Command('schema').description('The keys of the file, as JSON Schema.').action(() => {
    const schema = z.toJSONSchema(SPEAKER_SCHEMA, { io: 'input', unrepresentable: 'any' });
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
  });
}

function print(flags: Flags, value: unknown, text: string): void {
  process.stdout.write(flags.json === true ? `${JSON.stringify(value, null, 2)}\n` : text);
}

/** What a person can do something about is one line, and the exit status 1. */
async function telling(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SpeakerError)) throw error;
    process.stderr.write(`poplin bgp: ${error.message}\n`);
    process.exitCode = 1;
  }
}
