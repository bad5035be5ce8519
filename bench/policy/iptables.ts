/**
 * The same policies as iptables rules of the usual shape: a chain for each pod and direction, from there a jump to each of its policies, in
 * each of those a rule for each peer, by ipset. IPv4 only. What is not of the benchmark's content is not known here.
 */
import { execFileSync } from 'node:child_process';
import { digestHex } from '#base/hash.ts';
import { prefixParts } from '#base/ip/index.ts';
import {
  type Direction,
  endSets,
  type Policy,
  PolicyCluster,
  type PolicyRule,
  peerSetId,
} from '#core/policy/index.ts';
import { clusterObjects, localPods, PORT, type Sizes } from './content.ts';

const ACCEPTED = '0x10000/0x10000';
const name = (kind: string, text: string): string => `${kind}-${digestHex(text, 16)}`;
const isIpv4 = (net: string): boolean => !net.includes(':');

/** Puts the rules into a namespace. */
export function loadIptables(netns: string, sizes: Sizes): void {
  const cluster = new PolicyCluster();
  for (const object of clusterObjects(sizes)) cluster.upsert(object);
  for (const { namespace, name: pod } of localPods(sizes)) cluster.graph.setLocal(`pod ${namespace}/${pod}`);
  const { endpoints, sets } = cluster.graph.takeDelta();
  const ipsets: string[] = [];
  for (const [id, { added }] of sets) {
    ipsets.push(`create ${name('S', id)} hash:ip maxelem 65536`);
    for (const element of added)
      if ('net' in element && isIpv4(element.net))
        ipsets.push(`add ${name('S', id)} ${prefixParts(element.net).address}`);
  }
  const chains = new Set<string>();
  const rules: string[] = ['-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT'];
  const last: string[] = [];
  for (const policies of endpoints.values()) {
    const address = policies?.endpoint.nets.find(isIpv4);
    if (policies === undefined || address === undefined) continue;
    for (const direction of ['egress', 'ingress'] as const) {
      const all = policies[direction].flatMap((stage) => stage.policies);
      if (all.length === 0) continue;
      const chain = name(direction === 'egress' ? 'PO' : 'PI', address);
      chains.add(chain);
      rules.push(`-A FORWARD ${direction === 'egress' ? '-s' : '-d'} ${address} -j ${chain}`);
      last.push(`-A ${chain} -j MARK --set-mark 0/0x10000`);
      for (const policy of all)
        last.push(`-A ${chain} -j ${policyChain(policy, direction, chains, ipsets, last)}`);
      last.push(`-A ${chain} -m mark ! --mark ${ACCEPTED} -j DROP`);
    }
  }
  const text = [
    '*filter',
    ...Array.from(chains, (chain) => `:${chain} - [0:0]`),
    ...rules,
    ...last,
    'COMMIT',
    '',
  ].join('\n');
  run(netns, ['ipset', 'restore'], `${ipsets.join('\n')}\n`);
  run(netns, ['iptables-legacy-restore', '--noflush'], text);
}

function policyChain(
  policy: Policy,
  direction: Direction,
  chains: Set<string>,
  ipsets: string[],
  out: string[],
): string {
  const chain = name(direction === 'egress' ? 'NO' : 'NI', `${policy.ref.namespace} ${policy.ref.name}`);
  if (chains.has(chain)) return chain;
  chains.add(chain);
  const mine: string[] = [];
  for (const rule of policy[direction] ?? [])
    for (const ports of portsOf(rule)) {
      const peer = peerOf(policy, direction, rule, ipsets);
      if (peer === undefined) continue;
      mine.push(`-A ${chain} ${peer} ${ports} -j MARK --set-mark ${ACCEPTED}`);
      mine.push(`-A ${chain} -m mark --mark ${ACCEPTED} -j RETURN`);
    }
  out.unshift(...mine);
  return chain;
}

function portsOf({ protocol, destination }: PolicyRule): string[] {
  if (destination.ports === undefined) return [''];
  const word = protocol === 17 ? 'udp' : 'tcp';
  return destination.ports.map((port) =>
    'name' in port ? `-p ${word} --dport ${PORT}` : `-p ${word} --dport ${port.from}:${port.to}`,
  );
}

/** Undefined for what is of IPv6 alone. */
function peerOf(
  policy: Policy,
  direction: Direction,
  rule: PolicyRule,
  ipsets: string[],
): string | undefined {
  const end = direction === 'egress' ? 'destination' : 'source';
  const side = direction === 'egress' ? 'dst' : 'src';
  const { nets, notNets = [] } = rule[end];
  const { selector } = endSets(policy, direction, rule, end);
  if (selector !== undefined) return `-m set --match-set ${name('S', peerSetId(selector))} ${side}`;
  if (nets === undefined) return '';
  if (!nets.some(isIpv4)) return undefined;
  const set = name('N', `${nets.join()} ${notNets.join()}`);
  if (!ipsets.includes(`create ${set} hash:net`)) {
    ipsets.push(`create ${set} hash:net`, ...nets.filter(isIpv4).map((net) => `add ${set} ${net}`));
    ipsets.push(...notNets.filter(isIpv4).map((net) => `add ${set} ${net} nomatch`));
  }
  return `-m set --match-set ${set} ${side}`;
}

function run(netns: string, command: readonly string[], input: string): void {
  execFileSync('nsenter', [`--net=${netns}`, ...command], { input, stdio: ['pipe', 'ignore', 'inherit'] });
}
