import { expect, test } from 'vitest';
import { parseFlanneld } from './options.ts';
import { networkOf } from './run.ts';

function nameFor(...args: string[]): string {
  const options = parseFlanneld(args, { NODE_NAME: 'n1' });
  if (typeof options === 'string') throw new Error(options);
  return networkOf(options);
}

test('daemons of one host are told apart by where their leases and their subnet.env are, as flannel’s are', () => {
  const second = ['-etcd-prefix=/coreos.com/second', '-subnet-file=/run/flannel/second.env'];
  expect(nameFor()).toBe('default');
  expect(nameFor('-kube-subnet-mgr')).toBe('default');
  expect(nameFor(...second)).toMatch(/^flannel-[0-9a-f]{8}$/);
  expect(nameFor(...second)).toBe(nameFor(...second, '-ip-masq'));
  const names = [
    nameFor(),
    nameFor(...second),
    nameFor('-etcd-prefix=/coreos.com/second'),
    nameFor('-subnet-file=/run/flannel/second.env'),
    nameFor('-kube-subnet-mgr', '-kube-annotation-prefix=second.example'),
  ];
  expect(new Set(names).size).toBe(names.length);
});
