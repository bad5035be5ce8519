/** `poplin install check` on hosts that are spoilt in one way each: a network namespace and a folder of files that were made for it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding } from '#core/install/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const ROOT = join(import.meta.dirname, '../..');

let folder: NamespaceFolder;
let host: ReturnType<NamespaceFolder['make']>;
let files: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = new NamespaceFolder('install-check');
  host = folder.make('host');
  files = mkdtempSync(join(tmpdir(), 'poplin-install-check-'));
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far0');
  ip('link', 'set', 'eth0', 'up');
  ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
  ip('route', 'add', 'default', 'via', '192.0.2.254');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  folder[Symbol.dispose]();
  rmSync(files, { recursive: true });
});

const ip = (...args: string[]) => inNamespace(host.path, 'ip', ...args);
function file(path: string, text: string): void {
  mkdirSync(dirname(join(files, path)), { recursive: true });
  writeFileSync(join(files, path), text);
}

interface Outcome {
  readonly status: number;
  readonly findings: readonly Finding[];
}

/** As the user `uid`, who is root if it is absent. */
function check(args: readonly string[] = [], uid?: number): Outcome {
  const command = [
    ...['nsenter', `--net=${host.path}`, '--'],
    ...(uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, '--clear-groups']),
    ...[process.execPath, join(ROOT, 'dist/poplin.mjs'), 'install', 'check', '--json'],
    ...['--root-dir', files, ...args],
  ];
  const [program = '', ...rest] = command;
  try {
    return {
      status: 0,
      findings: JSON.parse(execFileSync(program, rest, { encoding: 'utf8' })) as Finding[],
    };
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    return { status, findings: JSON.parse(stdout) as Finding[] };
  }
}

/** What is wrong but for what this kernel lacks. */
const complaints = ({ findings }: Outcome) =>
  findings.filter(({ level, check: name }) => level !== 'ok' && name !== 'kernel');

/** Everything of the namespace that the command might have left something in. */
const picture = () =>
  [ip('-d', 'link'), ip('route'), ip('rule'), inNamespace(host.path, 'nft', 'list', 'ruleset')].join('\n');

test('a sound host is found sound, tried out and left as it was', () => {
  const before = picture();
  const folders = readdirSync(tmpdir());
  const outcome = check();
  expect(outcome.status).toBe(0);
  expect(complaints(outcome)).toEqual([]);
  expect(outcome.findings).toContainEqual({
    check: 'kernel',
    level: 'ok',
    found: expect.stringContaining('veth, bridge, nf_tables, verdict maps'),
  });
  expect(outcome.findings).toContainEqual(
    expect.objectContaining({
      check: 'mtu',
      found: 'eth0 carries 1500 bytes, and vxlan leaves 1430 for pods',
    }),
  );
  expect(picture()).toBe(before);
  expect(
    readdirSync(tmpdir()).filter((name) => name.startsWith('poplin-check-') && !folders.includes(name)),
  ).toEqual([]);
});

describe('tells of', () => {
  test.each<[string, () => void, Partial<Finding>, string[]?]>([
    [
      "another network's VXLAN device on the port",
      () => {
        ip('link', 'add', 'vx9', 'type', 'vxlan', 'id', '9', 'dstport', '8472', 'dev', 'eth0');
        ip('link', 'set', 'vx9', 'up');
      },
      { check: 'port', level: 'problem', found: expect.stringContaining('a device of the kernel') },
    ],
    [
      'an underlay that is too narrow for IPv6',
      () => ip('link', 'set', 'eth0', 'mtu', '1340'),
      { check: 'mtu', level: 'problem', remedy: expect.stringContaining('mtu 1350') },
    ],
    [
      'a host without a way to the world',
      () => ip('route', 'del', 'default'),
      { check: 'mtu', level: 'warning', remedy: expect.stringContaining('--iface') },
    ],
    [
      'IPv6 that is turned off',
      () => inNamespace(host.path, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'),
      { check: 'sysctl', level: 'problem', found: 'net/ipv6/conf/all/disable_ipv6 is 1' },
    ],
    [
      'an nf_tables chain that drops what is forwarded',
      () => {
        inNamespace(host.path, 'nft', 'add', 'table', 'inet', 'wall');
        const hook = '{ type filter hook forward priority 0 ; policy drop ; }';
        inNamespace(host.path, 'nft', `add chain inet wall forward ${hook}`);
      },
      { check: 'forward', level: 'warning', found: expect.stringContaining('inet wall forward') },
    ],
    [
      'links that Cilium left',
      () => ip('link', 'add', 'cilium_host', 'type', 'veth', 'peer', 'name', 'cilium_net'),
      { check: 'remains', level: 'warning', found: 'Cilium was here: link cilium_host, link cilium_net' },
    ],
    [
      'tables that flannel left',
      () => inNamespace(host.path, 'nft', 'add', 'table', 'ip', 'flannel-ipv4'),
      { check: 'remains', level: 'warning', found: 'flannel was here: chain flannel-ipv4' },
    ],
    [
      'a network configuration that comes first',
      () => {
        file('/etc/cni/net.d/05-dbnet.conf', '{"cniVersion":"1.0.0","name":"dbnet","type":"bridge"}');
        file(
          '/etc/cni/net.d/10-poplin.conflist',
          '{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"poplin"}]}',
        );
      },
      {
        check: 'cni-config',
        level: 'problem',
        remedy: expect.stringContaining('mv /etc/cni/net.d/05-dbnet.conf'),
      },
    ],
    [
      'a setting that comes back at boot',
      () => file('/etc/sysctl.d/90-hard.conf', '# no router\nnet.ipv4.ip_forward = 0\n'),
      { check: 'sysctl', level: 'warning', found: expect.stringContaining('/etc/sysctl.d/90-hard.conf') },
    ],
    [
      'ufw',
      () => file('/etc/ufw/ufw.conf', 'ENABLED=yes\nLOGLEVEL=low\n'),
      { check: 'firewall', level: 'warning', remedy: expect.stringContaining('ufw allow 8472/udp') },
    ],
    [
      'firewalld',
      () => file('/run/firewalld/running', ''),
      { check: 'firewall', level: 'warning', remedy: expect.stringContaining('firewall-cmd --reload') },
    ],
    [
      'systemd-networkd as it comes',
      () => file('/run/systemd/netif/state', ''),
      { check: 'networkd', level: 'warning' },
    ],
    [
      'NetworkManager as it comes',
      () => file('/run/NetworkManager/conf', ''),
      { check: 'networkmanager', level: 'warning' },
    ],
    [
      'a folder where no file can be made',
      () => file('/var/lib/poplin', 'in the way'),
      { check: 'folders', level: 'problem', found: expect.stringContaining('/var/lib/poplin') },
    ],
  ])('%s, and of nothing else', (_name, spoil, finding) => {
    spoil();
    const before = picture();
    const outcome = check();
    expect(complaints(outcome)).toEqual([expect.objectContaining(finding)]);
    expect(outcome.status).toBe(finding.level === 'problem' ? 1 : 0);
    expect(picture()).toBe(before);
  });

  test('the process that has the port, in either family', async () => {
    for (const address of ['0.0.0.0', '::1']) {
      const child = spawn(
        'nsenter',
        [
          `--net=${host.path}`,
          '--',
          'socat',
          `UDP${address === '::1' ? '6' : '4'}-RECVFROM:8472,bind=${address === '::1' ? '[::1]' : address}`,
          '-',
        ],
        { stdio: 'ignore' },
      );
      children.push(child);
    }
    await expect
      .poll(() => complaints(check()).map(({ found }) => found), { timeout: 10_000, interval: 200 })
      .toEqual([
        expect.stringMatching(/^UDP 8472 is taken at 0\.0\.0\.0 by socat \(pid \d+\)$/),
        expect.stringMatching(/^UDP 8472 is taken at ::1 by socat \(pid \d+\)$/),
      ]);
  });
});

test('what other programs were told to leave alone is no complaint', () => {
  file('/run/systemd/netif/state', '');
  file(
    '/etc/systemd/networkd.conf.d/poplin.conf',
    '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n',
  );
  file('/run/NetworkManager/conf', '');
  file(
    '/etc/NetworkManager/conf.d/poplin.conf',
    '[keyfile]\nunmanaged-devices=interface-name:flannel*;interface-name:pop*\n',
  );
  expect(complaints(check())).toEqual([]);
});

test('an ordinary user is told what he sees, and that it is not all', () => {
  const { status, findings } = check([], 65_534);
  expect(status).toBe(0);
  expect(findings.filter(({ level }) => level === 'unknown').map((each) => each.check)).toEqual([
    'privileges',
    'kernel',
  ]);
});
