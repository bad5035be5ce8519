/** What all commands of `poplin policy` have in common: where objects are from, how they end, and how they print. */
import { Command } from 'commander';
import { type PolicyCluster, PROTOCOLS, type Probe } from '#core/policy/index.ts';
import { loadCluster, PolicyUsageError, problemLines } from './objects.ts';

export interface SharedFlags {
  readonly from?: readonly string[];
  readonly kubeconfig?: string;
  readonly json?: boolean;
}

export const EXIT = { no: 1, usage: 2 } as const;

export function policyCommand(name: string): Command {
  return new Command(name)
    .option('--from <path...>', 'objects of files and folders, instead of those of the cluster')
    .option('--kubeconfig <file>', 'API server to ask; else KUBECONFIG, the service account, ~/.kube/config')
    .option('--json', 'one JSON value');
}

/** Loads the objects, tells on standard error what is wrong with them, and runs the work. What a person got wrong ends with status 2. */
export async function withCluster(
  name: string,
  flags: SharedFlags,
  work: (cluster: PolicyCluster) => void,
): Promise<void> {
  try {
    const cluster = await loadCluster({
      ...(flags.from !== undefined && { file: flags.from }),
      ...(flags.kubeconfig !== undefined && { kubeconfig: flags.kubeconfig }),
    });
    for (const line of problemLines(cluster.problems())) process.stderr.write(`${line}\n`);
    work(cluster);
  } catch (error) {
    const isUse = error instanceof PolicyUsageError || error instanceof RangeError;
    if (!isUse && (error as Error).name !== 'KubeconfigError') throw error;
    process.stderr.write(`poplin policy ${name}: ${(error as Error).message}\n`);
    process.exitCode = EXIT.usage;
  }
}

export function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, null, 2)}\n` : text);
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

const WITH_PORT: Readonly<Record<string, number>> = {
  tcp: PROTOCOLS.tcp,
  udp: PROTOCOLS.udp,
  sctp: PROTOCOLS.sctp,
};

/** `80`, `53/udp`, `icmp`. Throws PolicyUsageError. */
export function parseProbe(text: string): Probe {
  if (text === 'icmp') return { protocol: PROTOCOLS.icmp };
  const [, digits = '', word = 'tcp'] = /^(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const [port, protocol] = [Number(digits), WITH_PORT[word]];
  if (digits === '' || port < 1 || port > 65_535 || protocol === undefined)
    throw new PolicyUsageError(`${JSON.stringify(text)} is no port: PORT, PORT/udp, PORT/sctp, or icmp`);
  return { protocol, port };
}

export function probeText({ protocol, port }: Probe): string {
  const word =
    Object.entries(PROTOCOLS).find(([, number]) => number === protocol)?.[0] ?? `protocol ${protocol}`;
  return port === undefined ? word : `${port}/${word}`;
}
