/** Policy routing rules as RTM_NEWRULE and RTM_DELRULE. */
import type { IpPrefix } from '#base/ip/index.ts';
import type { Rule } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { RTM_RULE, ruleMessage } from './rule.ts';
import { AF } from './scope.ts';

/** What the eight bits of the header say when the number needs FRA_TABLE. */
const RT_TABLE_UNSPEC = 0;

/** A removal names every selector and the owner, so that no other rule can be meant. */
export function encodeRule(verb: 'add' | 'remove', rule: Rule): Uint8Array {
  return encodeMessage(ruleMessage, {
    type: verb === 'add' ? RTM_RULE.NEW : RTM_RULE.DEL,
    flags: verb === 'add' ? NLM_F.CREATE | NLM_F.EXCL : 0,
    payload: {
      family: rule.family === 4 ? AF.INET : AF.INET6,
      dstLength: lengthOf(rule.to),
      srcLength: lengthOf(rule.from),
      tos: 0,
      table: rule.table > 255 ? RT_TABLE_UNSPEC : rule.table,
      action: 'lookup',
      flags: 0,
      attributes: {
        priority: rule.priority,
        protocol: rule.protocol,
        table: rule.table,
        ...(lengthOf(rule.to) === 0 ? {} : { dst: addressOf(rule.to) }),
        ...(lengthOf(rule.from) === 0 ? {} : { src: addressOf(rule.from) }),
        ...(rule.mark === undefined ? {} : { mark: rule.mark.value, mask: rule.mark.mask }),
        ...(rule.inputLink === undefined ? {} : { inputLink: rule.inputLink }),
        ...(rule.outputLink === undefined ? {} : { outputLink: rule.outputLink }),
      },
    },
  });
}

function lengthOf(prefix: IpPrefix | undefined): number {
  return prefix === undefined ? 0 : Number(prefix.slice(prefix.indexOf('/') + 1));
}

function addressOf(prefix: IpPrefix | undefined): string {
  return (prefix as string).slice(0, (prefix as string).indexOf('/'));
}
