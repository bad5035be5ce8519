/**
 * The newest reference plugins' rules in nf_tables, as `nft -j list table` prints them. Mapped ports: tables `ip` and `ip6`
 * `cni_hostport`, with the container's identifier as comment. Masquerading: table `inet cni_plugins_masquerade`, with digests of network,
 * interface and container.
 */
import { z } from 'zod';
import { familyOf } from '#base/ip/index.ts';
import type { RulePlace } from '../../ports.ts';
import { nftInterfaceMark, nftNetworkMark, type RuleOwner } from './names.ts';
import { destinationsOf, type ReferenceRules } from './rules.ts';

const listed = z.object({
  nftables: z.array(
    z.looseObject({
      rule: z
        .looseObject({
          family: z.enum(['ip', 'ip6', 'inet']),
          table: z.string(),
          chain: z.string().regex(/^[A-Za-z0-9_]+$/),
          handle: z.int(),
          comment: z.string().optional(),
          expr: z.array(z.unknown()),
        })
        .optional(),
    }),
  ),
});

export type NftRule = NonNullable<z.infer<typeof listed>['nftables'][number]['rule']>;

/** The tables that may hold the rules: family and name. */
export function nftTablesOf({ kind }: ReferenceRules): readonly (readonly [RulePlace['family'], string])[] {
  if (kind === 'masquerade') return [['inet', 'cni_plugins_masquerade']];
  return kind === 'portmap'
    ? [
        ['ip', 'cni_hostport'],
        ['ip6', 'cni_hostport'],
      ]
    : [];
}

/** Throws SyntaxError or ZodError for what nft does not print. */
export function parseNftRules(text: string): NftRule[] {
  return listed.parse(JSON.parse(text)).nftables.flatMap(({ rule }) => rule ?? []);
}

/** The rules of one attachment. */
export function ownNftRules(rules: ReferenceRules, all: readonly NftRule[]): NftRule[] {
  switch (rules.kind) {
    case 'portmap':
      return all.filter(({ comment }) => comment === rules.containerId);
    case 'masquerade':
      return all.filter(({ comment = '' }) => comment.startsWith(nftInterfaceMark(rules, rules.ifName)));
    case 'firewall':
      return [];
  }
}

/** Those of a network's interfaces but these. Rules of mapped ports do not tell their network. */
export function staleNftRules(
  { kind, network }: ReferenceRules,
  valid: readonly (RuleOwner & { readonly ifName: string })[],
  all: readonly NftRule[],
): NftRule[] {
  if (kind !== 'masquerade') return [];
  const kept = valid.map((owner) => nftInterfaceMark(owner, owner.ifName));
  return all.filter(
    ({ comment = '' }) =>
      comment.startsWith(nftNetworkMark(network)) && !kept.some((mark) => comment.startsWith(mark)),
  );
}

/** One transaction for nft that removes rules. */
export function nftRemoval(rules: readonly NftRule[]): string {
  return rules
    .map(({ family, table, chain, handle }) => `delete rule ${family} ${table} ${chain} handle ${handle}`)
    .join('; ');
}

/** What is not there of an attachment's rules, in words. */
export function missingNftRules(rules: ReferenceRules, all: readonly NftRule[]): string[] {
  const own = ownNftRules(rules, all).map(({ family, table, expr }) => ({
    family,
    table,
    text: JSON.stringify(expr),
  }));
  switch (rules.kind) {
    case 'portmap':
      return rules.mappings.flatMap((mapping) =>
        destinationsOf(rules, mapping).flatMap(({ family, address }) => {
          const { protocol, hostPort, containerPort } = mapping;
          const table = family === 4 ? 'ip' : 'ip6';
          const wanted = [
            `"protocol":"${protocol}","field":"dport"`,
            `"right":${hostPort}}`,
            `"addr":"${address}"`,
            `"port":${containerPort}}`,
          ];
          const isThere = own.some(
            (rule) => rule.family === table && wanted.every((part) => rule.text.includes(part)),
          );
          return isThere
            ? []
            : [`nft, table ${table} cni_hostport: no rule leads ${protocol} port ${hostPort} to ${address}`];
        }),
      );
    case 'masquerade':
      return rules.addresses
        .filter((address) => !own.some(({ text }) => text.includes(`"right":"${address}"`)))
        .map(
          (address) =>
            `nft, table inet cni_plugins_masquerade: no rule masquerades ${address} (IPv${familyOf(address)})`,
        );
    case 'firewall':
      return [];
  }
}
