import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Files } from './files.ts';
import { cniFiles, folderFacts } from './places.ts';
import {
  bootSysctls,
  firewalls,
  networkdLeaves,
  networkdMatches,
  unitsAtWork,
  unmanagedLinks,
} from './settings.ts';

let root: string;
let files: Files;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'poplin-settings-'));
  files = new Files(root);
});
afterEach(() => rmSync(root, { recursive: true }));

function file(path: string, content = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

test('sysctls at boot come in the order of names, whatever their folders, and /etc/sysctl.conf last', () => {
  file('/usr/lib/sysctl.d/50-a.conf', 'net.ipv4.ip_forward = 1\n');
  file('/etc/sysctl.d/50-a.conf', '# mine\n-net/ipv4/ip_forward=0\n');
  file('/run/sysctl.d/10-b.conf', 'kernel.panic=1\nnot a line\n');
  file('/etc/sysctl.conf', 'net.ipv4.ip_forward=1');
  expect(bootSysctls(files)).toEqual([
    { file: '/run/sysctl.d/10-b.conf', path: 'kernel/panic', value: '1' },
    { file: '/etc/sysctl.d/50-a.conf', path: 'net/ipv4/ip_forward', value: '0' },
    { file: '/etc/sysctl.conf', path: 'net/ipv4/ip_forward', value: '1' },
  ]);
});

test('units at work are told by systemd', () => {
  file('/run/systemd/units/invocation:ufw.service');
  file('/run/systemd/units/log-level-max:cron.service');
  expect(unitsAtWork(files)).toEqual(new Set(['ufw.service']));
});

test('firewalls that are installed, whether they begin at boot, and what they were told', () => {
  expect(firewalls(files)).toEqual([]);
  file('/etc/ufw/ufw.conf', 'ENABLED=yes\nLOGLEVEL=low\n');
  file('/etc/ufw/user.rules', '-A ufw-user-input -p udp --dport 8472 -j ACCEPT\n');
  file('/etc/firewalld/zones/trusted.xml', '<zone><source address="10.1.0.0/16"/></zone>');
  file('/etc/firewalld/zones/trusted.xml.old', 'no');
  expect(firewalls(files)).toEqual([
    { name: 'firewalld', isEnabled: false, rules: '<zone><source address="10.1.0.0/16"/></zone>' },
    {
      name: 'ufw',
      isEnabled: true,
      rules: '-A ufw-user-input -p udp --dport 8472 -j ACCEPT\n\n\n\n',
    },
  ]);
  file('/etc/systemd/system/multi-user.target.wants/firewalld.service');
  expect(firewalls(files)[0]).toMatchObject({ isEnabled: true });
});

test('what systemd-networkd leaves alone: of a key that is set twice the later counts', () => {
  file('/etc/systemd/networkd.conf', '[Network]\nManageForeignRoutes=no\n#ManageForeignNextHops=no\n');
  file(
    '/etc/systemd/networkd.conf.d/b.conf',
    'ManageForeignRoutes=yes\nManageForeignRoutingPolicyRules=off\n',
  );
  expect(networkdLeaves(files)).toEqual(['ManageForeignRoutingPolicyRules']);
});

test('files of systemd-networkd that match links by their names alone', () => {
  file('/etc/systemd/network/10-all.network', '[Match]\nName=en* veth*\n[Network]\nDHCP=yes\n');
  file('/etc/systemd/network/05-mac.network', '[Match]\nName=*\nMACAddress=00:11:22:33:44:55\n');
  file('/usr/lib/systemd/network/10-all.network', '[Match]\nName=*\n');
  file('/usr/lib/systemd/network/80-left.network', '[Match]\nName=flannel*\n[Link]\nUnmanaged=yes\n');
  expect(networkdMatches(files)).toEqual([
    { file: '/etc/systemd/network/10-all.network', names: ['en*', 'veth*'], leaves: false },
    { file: '/usr/lib/systemd/network/80-left.network', names: ['flannel*'], leaves: true },
  ]);
});

test('links that NetworkManager leaves alone: a later line replaces, or adds', () => {
  file('/usr/lib/NetworkManager/conf.d/a.conf', '[keyfile]\nunmanaged-devices=interface-name:tun*\n');
  file(
    '/etc/NetworkManager/NetworkManager.conf',
    'unmanaged-devices=interface-name:pop*;mac:00:11:22:33:44:55\n',
  );
  file('/etc/NetworkManager/conf.d/z.conf', 'unmanaged-devices+=interface-name:flannel*,veth*\n');
  expect(unmanagedLinks(files)).toEqual(['pop*', 'flannel*', 'veth*']);
});

test('networks in order, those that cannot be used with the reason', () => {
  expect(cniFiles(files, '/etc/cni/net.d')).toEqual({ value: [] });
  file('/etc/cni/net.d/20-b.conf', '{"type":"bridge"}');
  file('/etc/cni/net.d/10-a.conflist', '{"plugins":[{"type":"poplin"},{"type":"portmap"}]}');
  file('/etc/cni/net.d/30-c.conf', '{"type":');
  file('/etc/cni/net.d/40-d.conflist', '{"plugins":[]}');
  file('/etc/cni/net.d/notes.txt');
  expect(cniFiles(files, '/etc/cni/net.d')).toEqual({
    value: [
      { name: '10-a.conflist', types: ['poplin', 'portmap'] },
      { name: '20-b.conf', types: ['bridge'] },
      { name: '30-c.conf', types: [], problem: expect.stringContaining('JSON') },
      { name: '40-d.conflist', types: [], problem: 'it names no plugin' },
    ],
  });
});

test('a folder that is not there yet is judged by the one above it', () => {
  expect(folderFacts(files, '/var/lib/poplin')).toEqual({
    path: '/var/lib/poplin',
    freeBytes: expect.any(Number),
    freeFiles: expect.any(Number),
  });
  file('/var/lib/cni');
  expect(folderFacts(files, '/var/lib/cni')).toMatchObject({ error: 'EACCES' });
});
