import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readKernelFacts } from './kernel-facts.ts';

const RELEASE = '6.1.0-18-amd64';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'poplin-kernel-facts-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function file(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
const read = () => readKernelFacts({ root, running: root, release: RELEASE });

test('a kernel that says nothing of itself', () => {
  expect(read()).toEqual({
    release: RELEASE,
    options: undefined,
    builtin: undefined,
    loadable: undefined,
    loaded: new Set(),
    barred: new Map(),
    isClosed: false,
  });
});

test('options: the running kernel’s own word counts before files of its package', () => {
  file(`boot/config-${RELEASE}`, 'CONFIG_VXLAN=m\n# CONFIG_DUMMY is not set\nCONFIG_HZ=250\nCONFIG_TUN=y\n');
  expect(read().options).toEqual(
    new Map([
      ['VXLAN', 'm'],
      ['TUN', 'y'],
    ]),
  );
  file('proc/config.gz', gzipSync('CONFIG_VXLAN=y\n'));
  expect(read().options).toEqual(new Map([['VXLAN', 'y']]));
});

test('modules: part of the kernel, with a file of any compression, and loaded', () => {
  file(
    `lib/modules/${RELEASE}/modules.builtin`,
    'kernel/net/netfilter/nf_tables.ko\nkernel/drivers/net/tun.ko\n',
  );
  file(
    `lib/modules/${RELEASE}/modules.dep`,
    'kernel/net/ipv4/ipip.ko.xz: kernel/net/ipv4/tunnel4.ko.xz kernel/net/ipv4/ip_tunnel.ko.xz\n' +
      'kernel/net/8021q/8021q.ko.zst:\nextra/nf-conntrack-x.ko:\n',
  );
  file('proc/modules', 'vxlan 155648 0 - Live 0x0000000000000000\nip6_udp_tunnel 16384 1 vxlan, Live 0x0\n');
  file('sys/module/bridge/parameters', '');
  const { builtin, loadable, loaded } = read();
  expect(builtin).toEqual(new Set(['nf_tables', 'tun']));
  expect(loadable).toEqual(new Set(['ipip', '8021q', 'nf_conntrack_x']));
  expect(loaded).toEqual(new Set(['vxlan', 'ip6_udp_tunnel', 'bridge']));
});

test('what modprobe is told not to load, by the file of the folder that counts', () => {
  file('lib/modprobe.d/a.conf', 'blacklist vxlan\n');
  file('etc/modprobe.d/a.conf', '# blacklist tun\n  blacklist ipip\ninstall wireguard /bin/false\n');
  file(
    'etc/modprobe.d/b.conf',
    'install dummy /usr/bin/true # hardened\ninstall ifb /sbin/modprobe -i ifb\n',
  );
  file('proc/sys/kernel/modules_disabled', '1\n');
  const { barred, isClosed } = read();
  expect(barred).toEqual(
    new Map([
      ['ipip', '/etc/modprobe.d/a.conf'],
      ['wireguard', '/etc/modprobe.d/a.conf'],
      ['dummy', '/etc/modprobe.d/b.conf'],
    ]),
  );
  expect(isClosed).toBe(true);
});
