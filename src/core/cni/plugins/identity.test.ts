import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMac } from '#base/ip/index.ts';
import type { Link } from '#core/kernel/index.ts';
import { stateOf } from '#core/kernel/index.ts';
import { attachmentAlias, attachmentMac, hostLinkName, staleLinksOf } from './identity.ts';

const attachment = { network: 'dbnet', containerId: 'c1', ifName: 'eth0' };
const link = (name: string, alias?: string): Link => ({
  kind: 'link',
  name,
  detail: { type: 'veth' },
  ...(alias !== undefined && { alias }),
});

test('an alias fits the kernel and tells attachments apart', () => {
  expect(attachmentAlias(attachment)).toBe('poplin:cni:dbnet/c1/eth0');
  const long = (end: string) => attachmentAlias({ ...attachment, containerId: 'c'.repeat(300) + end });
  expect(long('1').length).toBeLessThan(256);
  expect(long('1')).not.toBe(long('2'));
});

test('names and MAC addresses of 10,000 attachments are all different', () => {
  const empty = stateOf([]);
  const names = new Set<string>();
  const macs = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    const each = { ...attachment, containerId: `c${i}` };
    names.add(hostLinkName('pop', 11, each, empty));
    macs.add(attachmentMac(each, 'pod'));
    macs.add(attachmentMac(each, 'host'));
  }
  expect(names.size).toBe(10_000);
  expect(macs.size).toBe(20_000);
});

test('a MAC address is unicast and locally administered', () => {
  fc.assert(
    fc.property(fc.string(), (containerId) => {
      const first = parseMac(attachmentMac({ ...attachment, containerId }, 'pod'))?.[0] ?? 0;
      expect(first & 3).toBe(2);
    }),
  );
});

test('the stale links of a network are those of attachments that are not valid', () => {
  const valid = link('veth1', attachmentAlias(attachment));
  const stale = link('veth2', attachmentAlias({ ...attachment, containerId: 'c2' }));
  const others = [
    link('veth3', attachmentAlias({ ...attachment, network: 'dbnet2' })),
    link('veth4', 'made by hand'),
    link('veth5'),
  ];
  expect(staleLinksOf('dbnet', [attachment], stateOf([valid, stale, ...others]))).toEqual([stale]);
});
