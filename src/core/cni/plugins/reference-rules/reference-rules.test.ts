import { describe, expect, test } from 'vitest';
import type { RulePlace, RuleTool } from '../../ports.ts';
import { missingRules, removals, staleRemovals } from './iptables.ts';
import { parseListing, splitWords } from './listing.ts';
import { masqueradeChain, portmapChain } from './names.ts';
import { checkReferenceRules, removeReferenceRules } from './operations.ts';
import type { ReferenceRules } from './rules.ts';

const owner = { network: 'net', containerId: 'one', ifName: 'eth0' };
const other = { network: 'net', containerId: 'two' };
const masquerade: ReferenceRules = { kind: 'masquerade', ...owner, addresses: ['10.1.0.2'] };
const portmap: ReferenceRules = {
  kind: 'portmap',
  ...owner,
  addresses: ['10.1.0.2'],
  mappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
};
const firewall: ReferenceRules = { kind: 'firewall', ...owner, addresses: ['10.1.0.2', 'fd00::2'] };

const NAT = [owner, other]
  .flatMap((each, at) => {
    const [dn, masq, host] = [portmapChain(each), masqueradeChain(each), `10.1.0.${2 + at}`];
    const comment = `--comment "name: \\"net\\" id: \\"${each.containerId}\\""`;
    return [
      `-N ${dn}`,
      `-N ${masq}`,
      `-A POSTROUTING -s ${host}/32 -m comment ${comment} -j ${masq}`,
      `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"net\\" id: \\"${each.containerId}\\"" -m multiport --dports ${8080 + at} -j ${dn}`,
      `-A ${dn} -p tcp -m tcp --dport ${8080 + at} -j DNAT --to-destination ${host}:80`,
      `-A ${masq} -d 10.1.0.0/24 -m comment ${comment} -j ACCEPT`,
      `-A ${masq} ! -d 224.0.0.0/4 -m comment ${comment} -j MASQUERADE`,
    ];
  })
  .concat(
    '-P PREROUTING ACCEPT',
    '-N CNI-HOSTPORT-DNAT',
    '-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
    '-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
  )
  .join('\n');
const listing = parseListing(NAT);
const empty = parseListing('');

test('words keep what is quoted together', () => {
  expect(splitWords('-A X --comment "name: \\"a b\\" \\\\" ! -d ""  -j Y')).toEqual([
    '-A',
    'X',
    '--comment',
    'name: "a b" \\',
    '!',
    '-d',
    '',
    '-j',
    'Y',
  ]);
});

test('chains are named as the reference names them', () => {
  expect(masqueradeChain({ network: 'test', containerId: '1234' })).toBe('CNI-2bbe0c48b91a7d1b8a6753a8');
  expect(portmapChain({ network: 'test', containerId: '1234' })).toBe('CNI-DN-2bbe0c48b91a7d1b8a675');
});

describe('removals', () => {
  test.for([portmap, masquerade])('of $kind are exact to the attachment', (rules) => {
    const chain = rules.kind === 'portmap' ? portmapChain(owner) : masqueradeChain(owner);
    const from = rules.kind === 'portmap' ? 'CNI-HOSTPORT-DNAT' : 'POSTROUTING';
    const planned = removals(rules, listing);
    expect(planned.map((args) => args.slice(0, 2))).toEqual([
      ['-D', from],
      ['-F', chain],
      ['-X', chain],
    ]);
    expect(planned[0]?.at(-1)).toBe(chain);
    expect(removals(rules, empty)).toEqual([]);
    expect(staleRemovals(rules, [other], listing)).toEqual(planned);
    expect(staleRemovals(rules, [owner, other], listing)).toEqual([]);
    expect(staleRemovals({ ...rules, network: 'another' }, [], listing)).toEqual([]);
  });

  test('of the firewall go by the address, and leave rules of operators', () => {
    const text = [
      '-A CNI-FORWARD -d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT',
      '-A CNI-FORWARD -s 10.1.0.2/32 -p tcp -j ACCEPT',
      '-A CNI-FORWARD -s 10.1.0.20/32 -j ACCEPT',
      '-A FORWARD -s 10.1.0.2/32 -j ACCEPT',
    ].join('\n');
    expect(removals(firewall, parseListing(text))).toEqual([
      [
        '-D',
        'CNI-FORWARD',
        ...splitWords('-d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'),
      ],
      ['-D', 'CNI-FORWARD', '-s', '10.1.0.2/32', '-j', 'ACCEPT'],
    ]);
  });
});

test.for([portmap, masquerade])('each missing rule of $kind is named', (rules) => {
  expect(missingRules(rules, { 4: listing, 6: empty })).toEqual([]);
  const lines = NAT.split('\n');
  const mine = rules.kind === 'portmap' ? portmapChain(owner) : masqueradeChain(owner);
  for (const line of lines.filter((each) => each.startsWith('-A') && /-j (DNAT|MASQ|CNI)/.test(each))) {
    if (!line.includes(mine)) continue;
    const without = parseListing(lines.filter((each) => each !== line).join('\n'));
    expect(missingRules(rules, { 4: without, 6: empty }), line).toHaveLength(1);
  }
});

test('a failure names the program, unless nothing is left to remove', async () => {
  let text = NAT;
  const tool = (goes: boolean) => ({
    has: (program: string) => program === 'iptables',
    mayHold: () => true,
    run: (_program: string, args: readonly string[]) => {
      if (args.includes('-S')) return Promise.resolve(text);
      if (goes) text = '';
      return Promise.reject(new Error('iptables -D: no'));
    },
  });
  await expect(removeReferenceRules(tool(false), portmap)).rejects.toMatchObject({
    code: 999,
    details: 'iptables -D: no',
  });
  await removeReferenceRules(tool(true), portmap);
  await expect(checkReferenceRules(tool(true), portmap)).rejects.toMatchObject({ code: 114 });
});

test('no program is run where the kernel has neither chain nor table', async () => {
  const asked: RulePlace[] = [];
  const tool: RuleTool = {
    has: () => true,
    mayHold: (place) => {
      asked.push(place);
      return false;
    },
    run: (program) => Promise.reject(new Error(`${program} was run`)),
  };
  await removeReferenceRules(tool, portmap);
  const chains = [portmapChain(owner), portmapChain(owner).replace('CNI-DN-', 'CNI-SN-')];
  expect(asked).toEqual([
    { family: 'ip', table: 'nat', chains },
    { family: 'ip6', table: 'nat', chains },
    { family: 'ip', table: 'cni_hostport' },
    { family: 'ip6', table: 'cni_hostport' },
  ]);
});
