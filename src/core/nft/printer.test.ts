import { expect, test } from 'vitest';
import { act } from './act.ts';
import { element } from './element.ts';
import { field } from './field.ts';
import { match } from './match.ts';
import type { NftHook, NftObject, NftSet } from './objects.ts';
import { printTime } from './print-value.ts';
import { printRuleset } from './printer.ts';
import { type RulePart, rule } from './rule.ts';

const here = { family: 'inet', table: 't' } as const;
const pods: NftSet = { kind: 'nft-set', ...here, name: 'pods', keyType: ['ipv4_addr'], interval: true };
const services: NftSet = {
  kind: 'nft-set',
  ...here,
  name: 'services',
  keyType: ['ipv6_addr', 'inet_proto', 'inet_service'],
  dataType: 'verdict',
};

function chain(name: string, rules: readonly RulePart[][], hook?: NftHook): NftObject {
  return {
    kind: 'nft-chain',
    ...here,
    name,
    ...(hook && { hook }),
    rules: rules.map((parts) => rule('inet', parts)),
  };
}

// What the real nft prints for everything is compared in test/kernel/nftables.test.ts.
test('a ruleset is printed as nft lists it', () => {
  const objects: NftObject[] = [
    { kind: 'nft-table', family: 'inet', name: 't', comment: 'of poplin' },
    pods,
    services,
    chain('web', [[act.masquerade()]]),
    chain(
      'forward',
      [
        [match.is(field.ctState, 'established,related'), act.accept],
        [match.inSet(field.saddr(4), pods), match.is(field.dport('tcp'), 80), act.counter, act.reject()],
        [match.vmap([field.daddr(6), field.l4proto, field.thDport], services)],
      ],
      { hook: 'forward', priority: -5, type: 'filter', policy: 'drop' },
    ),
    element(pods, ['10.0.0.0/24']),
    element(pods, ['10.0.2.1']),
    element(pods, [['10.0.1.3', '10.0.1.5']], { comment: 'three' }),
    element(services, ['fd00::1', 'tcp', 80], { data: { verdict: 'goto', chain: 'web' } }),
    { kind: 'nft-table', family: 'ip6', name: 'empty' },
  ];
  expect(printRuleset(objects)).toBe(`table inet t {
	comment "of poplin"
	set pods {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/24, 10.0.1.3-10.0.1.5 comment "three",
			     10.0.2.1 }
	}

	map services {
		type ipv6_addr . inet_proto . inet_service : verdict
		elements = { fd00::1 . tcp . 80 : goto web }
	}

	chain web {
		masquerade
	}

	chain forward {
		type filter hook forward priority filter - 5; policy drop;
		ct state established,related accept
		ip saddr @pods tcp dport 80 counter packets 0 bytes 0 reject
		ip6 daddr . meta l4proto . th dport vmap @services
	}
}
table ip6 empty {
}
`);
});

test.each([
  [0, '0s'],
  [1, '1ms'],
  [90_000, '1m30s'],
  [93_784_005, '1d2h3m4s5ms'],
])('%i ms are printed as %s', (ms, text) => {
  expect(printTime(ms)).toBe(text);
});
