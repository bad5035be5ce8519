/** `poplin apiserver`: the command line of the embedded API server. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { writeKubeconfig } from './kubeconfig.ts';
import { ListeningError } from './options.ts';
import { startApiServer } from './server.ts';

interface Flags {
  readonly listen: { readonly host: string; readonly port: number };
  readonly db: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokenFile?: string;
  readonly writeKubeconfig?: string;
  readonly logLevel: string;
}

const LISTEN = '127.0.0.1:6443';

const EXAMPLES = `
Examples:
  A server for this machine, and kubectl on it:
    poplin apiserver --db poplin.db --write-kubeconfig kubeconfig
    kubectl --kubeconfig kubeconfig get nodes

  A server for other machines needs TLS and a token:
    head -c 32 /dev/urandom | base64 | tr -d '=+/' > token
    poplin apiserver --listen '[::]:6443' --db poplin.db --tls-cert cert.pem --tls-key key.pem --token-file token`;

/** Reads \`HOST:PORT\`, with IPv6 hosts in brackets. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError(`"${text}" is not HOST:PORT, such as 127.0.0.1:6443 or [::1]:6443`);
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

async function readOption(path: string, flag: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ListeningError(
      `cannot read ${flag} ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function readTls({ tlsCert, tlsKey }: Flags): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new ListeningError('--tls-cert and --tls-key go together: add the missing one');
  }
  return { cert: await readOption(tlsCert, '--tls-cert'), key: await readOption(tlsKey, '--tls-key') };
}

const wildcards: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' };

/** The URL a client on this machine can use: a wildcard address is no destination. */
const clientUrl = (url: string): string =>
  url.replace(/\/\/(0\.0\.0\.0|\[::\]):/, (_, host: string) => `//${wildcards[host] ?? host}:`);

async function run(flags: Flags): Promise<void> {
  const logger = pino({ level: flags.logLevel, name: 'apiserver' }, pino.destination(2));
  const tls = await readTls(flags);
  const token =
    flags.tokenFile === undefined ? undefined : (await readOption(flags.tokenFile, '--token-file')).trim();
  const server = await startApiServer({
    ...flags.listen,
    databasePath: flags.db,
    logger,
    ...(tls !== undefined && { tls }),
    ...(token !== undefined && { token }),
  });
  if (flags.writeKubeconfig !== undefined) {
    await writeKubeconfig(flags.writeKubeconfig, {
      url: clientUrl(server.url),
      ...(tls !== undefined && { cert: tls.cert }),
      ...(token !== undefined && { token }),
    });
  }
  process.stdout.write(`serving ${server.url}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await server.close();
}

/** The `apiserver` command; failures to start are reported on stderr with exit code 1. */
export function apiServerCommand(): Command {
  return new Command('apiserver')
    .description('Serve the Kubernetes resources Poplin needs, for kubectl and agents, from one file.')
    .addOption(
      new Option('--listen <host:port>', 'address to serve on')
        .argParser(parseListen)
        .default(parseListen(LISTEN), LISTEN),
    )
    .option('--db <file>', 'SQLite database, made when missing', '/var/lib/poplin/apiserver.db')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'private key, PEM')
    .option('--token-file <file>', 'file with the bearer token clients must show')
    .option('--write-kubeconfig <file>', 'write a kubeconfig for this server')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent', 'info')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags, command: Command) => {
      try {
        await run(flags);
      } catch (error) {
        command.error(`poplin apiserver: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
}
