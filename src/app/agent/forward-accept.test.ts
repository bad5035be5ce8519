import { expect, test } from 'vitest';
import { planForwardAccept } from './forward-accept.ts';

const NET = ['10.244.0.0/16'];
const DROP = '-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n';
const MARK = '-m comment --comment "poplin forward"';
const CHAIN = `-N POPLIN-FWD
-A FORWARD ${MARK} -j POPLIN-FWD
-A POPLIN-FWD -s 10.244.0.0/16 ${MARK} -j ACCEPT
-A POPLIN-FWD -d 10.244.0.0/16 ${MARK} -j ACCEPT
`;
const lines = (listing: string, isWanted = true) => {
  const { calls, problem } = planForwardAccept(listing, NET, isWanted);
  return [calls.map((args) => args.filter((arg) => arg !== '-m' && arg !== 'comment').join(' ')), problem];
};

test('accepts are put behind others’ rules where the policy drops', () => {
  expect(lines(`${DROP}-A FORWARD -i docker0 -j ACCEPT\n`)).toEqual([
    [
      '-N POPLIN-FWD',
      '-F POPLIN-FWD',
      '-A POPLIN-FWD -s 10.244.0.0/16 --comment poplin forward -j ACCEPT',
      '-A POPLIN-FWD -d 10.244.0.0/16 --comment poplin forward -j ACCEPT',
      '-A FORWARD --comment poplin forward -j POPLIN-FWD',
    ],
    undefined,
  ]);
  expect(lines(DROP + CHAIN)).toEqual([[], undefined]);
  expect(lines(DROP + CHAIN.replace('-d 10.244', '-d 10.245'))[0]).toHaveLength(3);
  expect(lines(DROP + CHAIN.replace(/^-A FORWARD.*\n/m, ''))[0]).toHaveLength(1);
});

test('nothing is put where nothing drops, and what was there goes', () => {
  expect(lines('')).toEqual([[], undefined]);
  expect(lines('-P FORWARD ACCEPT\n')).toEqual([[], undefined]);
  expect(lines(`-P FORWARD ACCEPT\n${CHAIN}`)[0]).toEqual([
    '-D FORWARD --comment poplin forward -j POPLIN-FWD',
    '-F POPLIN-FWD',
    '-X POPLIN-FWD',
  ]);
});

test('where it is not wanted the drop is a problem with a remedy, unless somebody accepts', () => {
  expect(lines(DROP, false)).toEqual([
    [],
    `the policy of iptables' FORWARD is DROP, which no accept elsewhere undoes: run "iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT" and "iptables -I FORWARD -d 10.244.0.0/16 -j ACCEPT", or leave -iptables-forward-rules on`,
  ]);
  const flannels = `${DROP}-N FLANNEL-FWD
-A FORWARD -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -j ACCEPT\n`;
  expect(lines(flannels, false)).toEqual([[], undefined]);
  expect(lines(DROP + CHAIN, false)[0]).toHaveLength(3);
});

test('a rule that takes everything is a problem, unless an accept comes before it', () => {
  const reject = '-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n';
  expect(lines(`-P FORWARD ACCEPT\n-A FORWARD -i eth0 -j DROP\n${reject}`)[1]).toMatch(
    /^rule 2 of iptables' FORWARD \(-j REJECT\) takes all forwarded packets: run "iptables -I FORWARD -s /,
  );
  const accepts = '-A FORWARD -s 10.244.0.0/16 -j ACCEPT\n-A FORWARD -d 10.244.0.0/16 -j ACCEPT\n';
  expect(lines(`-P FORWARD ACCEPT\n${accepts}${reject}`)).toEqual([[], undefined]);
});
