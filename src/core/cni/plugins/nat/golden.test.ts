/** What one pod costs in nf_tables, as `nft list ruleset` prints it: masquerading, a mapped port in both families, and the firewall. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyOf } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import { firewallObjects } from '../firewall/rules.ts';
import { mappingObjects, targetOf } from '../portmap/rules.ts';
import { masquerade, type NatObjects } from './index.ts';

const OWNER = 'poplin:cni:net/one/eth0';
const POD = ['10.1.0.2/24', 'fd01::2/64'] as const;
const targets = POD.map((address) => targetOf(address, address.split('/')[0] as string));
const config = { snat: true, masqAll: false, conditions: { 4: [], 6: [] } } as const;
const addresses = POD.map((address) => address.split('/')[0] as string);
const mappings = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 53, containerPort: 5353, protocol: 'udp', family: 4, hostIp: '192.0.2.1' },
] as const;

const CASES: readonly (readonly [name: string, objects: NatObjects])[] = [
  ['masquerade', masquerade(POD.map((address) => ({ address })))],
  ['portmap', mappingObjects({ ...config, mappings }, targets, OWNER)],
  ['portmap-masq-all', mappingObjects({ ...config, masqAll: true, mappings }, targets, OWNER)],
  ['firewall-open', firewallObjects(addresses, 'open')],
  ['firewall-same-bridge', firewallObjects(addresses, 'same-bridge', { link: 'cni0', port: 'veth1' })],
  ['firewall-isolated', firewallObjects(addresses, 'isolated', { link: 'cni0', port: 'veth1' })],
];

test.for(CASES)('%s', ([name, { shared, own }]) => {
  const all = new Map([...shared, ...own].map((object) => [keyOf(object), object]));
  const objects = [...all.values()].filter((object): object is NftObject => object.kind.startsWith('nft-'));
  expect(printRuleset(objects)).toBe(readFileSync(new URL(`./golden/${name}.nft`, import.meta.url), 'utf8'));
});
