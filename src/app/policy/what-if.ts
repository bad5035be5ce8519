/** `poplin policy what-if`: which pairs of pods would be treated differently, were some objects applied. */
import type { Command } from 'commander';
import { canonicalIp, type IpAddress } from '#base/ip/index.ts';
import { type PairChange, whatIf } from '#core/policy/index.ts';
import { changesOf } from './changes.ts';
import { ofFiles, PolicyUsageError } from './objects.ts';
import {
  parseProbe,
  policyCommand,
  print,
  probeText,
  type SharedFlags,
  table,
  withCluster,
} from './shared.ts';

interface WhatIfFlags extends SharedFlags {
  readonly file: readonly string[];
  readonly delete?: boolean;
  readonly port?: readonly string[];
  readonly outside?: readonly string[];
}

export function whatIfCommand(): Command {
  return policyCommand('what-if')
    .description('Say which pods would reach each other, or not any more, were files applied or deleted.')
    .requiredOption('-f, --file <path...>', 'files and folders with the objects that would change')
    .option('--delete', 'as if they were deleted')
    .option(
      '--port <port...>',
      'ports to look at; without it those that the policies speak of, and one that they do not',
    )
    .option('--outside <address...>', 'addresses beyond the cluster to look at, too')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy what-if -f deny-all.yaml
  poplin policy what-if -f deny-all.yaml --delete --from manifests/ --json

Exit status: 0, also if nothing would change; 2 no such file or cluster.`,
    )
    .action((flags: WhatIfFlags) =>
      withCluster('what-if', flags, ({ graph }) => {
        const changes = changesOf(ofFiles(flags.file), flags.delete === true);
        const ports = flags.port?.map(parseProbe);
        const found = whatIf(graph, changes, {
          ...(ports !== undefined && { ports }),
          ...(flags.outside !== undefined && { outside: flags.outside.map(addressOf) }),
        });
        print(flags.json, found.map(jsonOf), describe(found));
      }),
    );
}

function addressOf(text: string): IpAddress {
  const address = canonicalIp(text);
  if (address === undefined) throw new PolicyUsageError(`${JSON.stringify(text)} is no address`);
  return address;
}

function jsonOf({ sources, destinations, probe, before, after }: PairChange) {
  return { sources, destinations, port: probeText(probe), before, after };
}

function describe(changes: readonly PairChange[]): string {
  if (changes.length === 0) return 'nothing would change between the pods that are there\n';
  const rows = changes.map(({ sources, destinations, probe, before, after }) => [
    `${before} → ${after}`,
    probeText(probe),
    named(sources),
    '→',
    named(destinations),
  ]);
  const pairs = changes.reduce(
    (sum, { sources, destinations }) => sum + sources.length * destinations.length,
    0,
  );
  return `${table([['VERDICT', 'PORT', 'FROM', '', 'TO'], ...rows])}\n${changes.length} kinds of flows, ${pairs} pairs of pods at most\n`;
}

const MOST_NAMES = 3;

function named(keys: readonly string[]): string {
  const names = keys.map((key) => key.replace(/^pod /, ''));
  const more = names.length - MOST_NAMES;
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ');
}
