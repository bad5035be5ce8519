/** Tables, chains and rules between the vocabulary and their messages. */
import type {
  NftChain,
  NftChainType,
  NftFamily,
  NftHook,
  NftHookName,
  NftRule,
  NftTable,
} from '#core/nft/index.ts';
import { enumeration } from './enumeration.ts';
import { expressionFromWire, expressionToWire } from './expression.ts';
import { FAMILY_NUMBERS } from './header.ts';
import type { ChainMessage, RuleMessage, TableMessage } from './messages.ts';
import { COMMENT, commentDatum, commentOf, encodeUserData } from './user-data.ts';

/** NFT_TABLE_F_DORMANT. */
const DORMANT = 1;

/** enum nf_inet_hooks, nf_arp_hooks and nf_dev_hooks. */
const INET_HOOKS = enumeration({
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
  ingress: 5,
});
const ARP_HOOKS = enumeration({ input: 0, output: 1, forward: 2 });
const NETDEV_HOOKS = enumeration({ ingress: 0, egress: 1 });
const policies = enumeration({ drop: 0, accept: 1 });

/** The header of a message about a family's objects. */
export function headerOf(family: NftFamily): { family: number; version: number; resourceId: number } {
  return { family: FAMILY_NUMBERS[family], version: 0, resourceId: 0 };
}

/** A table as the payload of NEWTABLE. */
export function tableToWire(table: NftTable): TableMessage {
  return {
    ...headerOf(table.family),
    attributes: {
      name: table.name,
      flags: table.dormant ? DORMANT : 0,
      ...commentAttribute(table.comment),
    },
  };
}

/** The table of a message; undefined if it lacks its name. */
export function tableFromWire(family: NftFamily, { attributes }: TableMessage): NftTable | undefined {
  if (attributes.name === undefined) return undefined;
  return {
    kind: 'nft-table',
    family,
    name: attributes.name,
    ...(((attributes.flags ?? 0) & DORMANT) !== 0 && { dormant: true }),
    ...commentField(attributes.userData),
  };
}

/** A chain as the payload of NEWCHAIN. */
export function chainToWire(chain: NftChain): ChainMessage {
  const { hook } = chain;
  return {
    ...headerOf(chain.family),
    attributes: {
      table: chain.table,
      name: chain.name,
      ...(hook && {
        hook: {
          number: hookNumber(chain.family, hook.hook),
          priority: hook.priority,
          ...deviceAttributes(hook.devices ?? []),
        },
        type: hook.type,
        ...(hook.policy && { policy: policies.number(hook.policy) }),
      }),
      ...commentAttribute(chain.comment),
    },
  };
}

/** The chain with no rules yet: they come in messages of their own. */
export function chainFromWire(family: NftFamily, { attributes }: ChainMessage): NftChain | undefined {
  const { table, name } = attributes;
  if (table === undefined || name === undefined) return undefined;
  const hook = hookFromWire(family, attributes);
  return {
    kind: 'nft-chain',
    family,
    table,
    name,
    ...(hook && { hook }),
    rules: [],
    ...commentField(attributes.userData),
  };
}

/** A rule as the payload of NEWRULE. */
export function ruleToWire(chain: NftChain, rule: NftRule): RuleMessage {
  return {
    ...headerOf(chain.family),
    attributes: {
      table: chain.table,
      chain: chain.name,
      expressions: rule.expressions.map(expressionToWire),
      ...commentAttribute(rule.comment),
    },
  };
}

/** The rule of a message. */
export function ruleFromWire({ attributes }: RuleMessage): NftRule {
  return {
    expressions: (attributes.expressions ?? []).map(expressionFromWire),
    ...commentField(attributes.userData),
  };
}

function hookFromWire(family: NftFamily, attributes: ChainMessage['attributes']): NftHook | undefined {
  const { hook: wire, type } = attributes;
  const hook: NftHookName | undefined = hooksOf(family).name(wire?.number);
  if (wire === undefined || hook === undefined) return undefined;
  const policy = policies.name(attributes.policy);
  const devices = wire.devices ?? (wire.device === undefined ? [] : [wire.device]);
  return {
    hook,
    priority: wire.priority ?? 0,
    type: (type ?? 'filter') as NftChainType,
    ...(policy && { policy }),
    ...(devices.length > 0 && { devices }),
  };
}

function hooksOf(family: NftFamily) {
  return family === 'netdev' ? NETDEV_HOOKS : family === 'arp' ? ARP_HOOKS : INET_HOOKS;
}

function hookNumber(family: NftFamily, hook: NftHookName): number {
  const number = (hooksOf(family).number as (name: NftHookName) => number | undefined)(hook);
  if (number === undefined) throw new RangeError(`${family} tables have no hook ${hook}`);
  return number;
}

function deviceAttributes(devices: readonly string[]): { device?: string; devices?: readonly string[] } {
  const [first] = devices;
  if (first === undefined) return {};
  return devices.length === 1 ? { device: first } : { devices };
}

function commentAttribute(comment: string | undefined): { userData?: Uint8Array } {
  return comment === undefined ? {} : { userData: encodeUserData([commentDatum(COMMENT, comment)]) };
}

function commentField(userData: Uint8Array | undefined): { comment?: string } {
  const comment = commentOf(userData, COMMENT);
  return comment === undefined ? {} : { comment };
}
