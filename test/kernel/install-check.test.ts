/** `poplin install check` on hosts that are spoilt in one way each: a network namespace and a folder of files that were made for it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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
  chmodSync(files, 0o755);
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far0');
  ip('link', 'set', 'eth0', 'up');
  ip('link', 'set', 'far0', 'up');
  ip('address', 'add', '192.0.2.1/24', 'dev', 'eth0');
  ip('address', 'add', '2001:db8::1/64', 'dev', 'eth0', 'nodad');
  ip('route', 'add', 'default', 'via', '192.0.2.254');
  ip('-6', 'route', 'add', 'default', 'via', '2001:db8::254');
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
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    if (stdout === '') throw new Error(stderr, { cause: error });
    return { status, findings: JSON.parse(stdout) as Finding[] };
  }
}

/** What is wrong but for what this kernel lacks. */
const complaints = ({ findings }: Outcome) =>
  findings.filter(({ level, check: name }) => level !== 'ok' && !name.startsWith('kernel'));

/** Everything of the namespace that the command might have left something in, and the modules of the host. */
const picture = () =>
  [
    ip('-d', 'link'),
    ip('route'),
    ip('-6', 'route'),
    ip('rule'),
    inNamespace(host.path, 'nft', 'list', 'ruleset'),
    existsSync('/proc/modules') ? readFileSync('/proc/modules', 'utf8') : '',
  ]
    .join('\n')
    // The kernel makes up its mind about a carrier in its own time.
    .replaceAll(/<[A-Z_,-]*>|state [A-Z]+|^fe80:.*\n/gm, '');

test('a sound host is found sound, tried out and left as it was', () => {
  const before = picture();
  const folders = readdirSync(tmpdir());
  for (const more of [[], ['--load-modules'], ['--family', 'ipv4'], ['--family', 'ipv6']]) {
    const outcome = check(more);
    expect(complaints(outcome)).toEqual([]);
    expect(outcome.status).toBe(0);
    expect(outcome.findings).toContainEqual(
      expect.objectContaining({
        check: 'kernel',
        outcome: 'works',
        found: expect.stringContaining('veth, nf_tables'),
      }),
    );
    const isLoading = more.includes('--load-modules');
    expect(outcome.findings).toContainEqual(
      expect.objectContaining({ check: 'trials', outcome: isLoading ? 'loaded' : 'tried' }),
    );
  }
  expect(check().findings).toContainEqual(
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

const vxlan = (name: string, ...more: string[]) => {
  ip('link', 'add', name, 'type', 'vxlan', ...more);
  ip('link', 'set', name, 'up');
};
const HOOK = '{ type filter hook forward priority 0 ; policy drop ; }';
const wall = () => {
  inNamespace(host.path, 'nft', 'add', 'table', 'inet', 'wall');
  inNamespace(host.path, 'nft', `add chain inet wall forward ${HOOK}`);
};
const sysctl = (setting: string) => inNamespace(host.path, 'sysctl', '-qw', setting);

type Spoilt = [what: string, spoil: () => void, found: Partial<Finding>, args?: readonly string[]];

/** What else is said where a check complains, by the same cause. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  underlay: ['mtu'],
  ipv6: ['underlay', 'mtu'],
  // A namespace gives bridged packets to the chains for routed ones.
  forward: ['bridge-nf'],
  'link-names': ['remains'],
};

describe('tells of', () => {
  test.each<Spoilt>([
    [
      'a VXLAN device of another kind on the port',
      () => vxlan('ext0', 'dstport', '8472', 'external'),
      { check: 'port', outcome: 'device', found: expect.stringContaining('ext0') },
    ],
    [
      'a VXLAN device of the same network',
      () => vxlan('vx1', 'id', '1', 'dstport', '8472', 'dev', 'eth0'),
      { check: 'vni', outcome: 'taken', remedy: expect.stringContaining('ip link delete vx1') },
    ],
    [
      'a link of another kind under our name',
      () => ip('link', 'add', 'flannel.1', 'type', 'ifb'),
      { check: 'link-names', outcome: 'taken', found: expect.stringContaining('kind ifb') },
    ],
    [
      'an underlay that is too narrow for IPv6',
      () => ip('link', 'set', 'eth0', 'mtu', '1340'),
      { check: 'mtu', outcome: 'too-small', found: expect.stringContaining('raise it to 1350') },
    ],
    [
      'a host without a way to the world',
      () => {
        ip('route', 'del', 'default');
        ip('-6', 'route', 'del', 'default');
      },
      { check: 'underlay', outcome: 'none', remedy: expect.stringContaining('--iface') },
    ],
    [
      'a link without an IPv6 address',
      () => ip('address', 'del', '2001:db8::1/64', 'dev', 'eth0'),
      {
        check: 'underlay',
        outcome: 'no-address',
        found: expect.stringContaining('eth0 has no IPv6 address'),
      },
    ],
    [
      'IPv6 that is turned off',
      () => sysctl('net.ipv6.conf.all.disable_ipv6=1'),
      { check: 'ipv6', outcome: 'off', remedy: expect.stringContaining('disable_ipv6=0') },
    ],
    [
      'IPv6 that is turned off for links to come',
      () => sysctl('net.ipv6.conf.default.disable_ipv6=1'),
      { check: 'ipv6', outcome: 'off', found: 'turned off: net/ipv6/conf/default/disable_ipv6' },
    ],
    [
      'a backend that carries nothing',
      () => undefined,
      { check: 'backend', outcome: 'not-carried' },
      ['--backend', 'ipsec'],
    ],
    [
      'an nf_tables chain that drops what is forwarded',
      wall,
      { check: 'forward', outcome: 'nft', found: expect.stringContaining('inet wall forward') },
    ],
    [
      'an iptables rule that takes all that is forwarded',
      () => inNamespace(host.path, 'iptables', '-A', 'FORWARD', '-j', 'REJECT'),
      {
        check: 'forward',
        outcome: 'rule',
        remedy: expect.stringContaining('iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT'),
      },
    ],
    [
      'rules of the older iptables, which the one that is installed does not show',
      () => inNamespace(host.path, 'iptables-legacy', '-P', 'FORWARD', 'DROP'),
      { check: 'forward', outcome: 'partly', found: expect.stringContaining('iptables-legacy -S') },
    ],
    [
      'links that Cilium left',
      () => ip('link', 'add', 'cilium_host', 'type', 'veth', 'peer', 'name', 'cilium_net'),
      { check: 'remains', level: 'warning', found: 'Cilium was here: link cilium_host, link cilium_net' },
    ],
    [
      'tables that flannel left',
      () => inNamespace(host.path, 'nft', 'add', 'table', 'ip', 'flannel-ipv4'),
      { check: 'remains', level: 'warning', found: 'flannel was here: table ip flannel-ipv4' },
    ],
    [
      'chains that Calico left',
      () => inNamespace(host.path, 'iptables', '-N', 'cali-FORWARD'),
      { check: 'remains', level: 'warning', found: 'Calico was here: chain cali-FORWARD' },
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
        outcome: 'first',
        remedy: expect.stringContaining('mv /etc/cni/net.d/05-dbnet.conf'),
      },
    ],
    [
      'a setting that comes back at boot',
      () => file('/etc/sysctl.d/90-hard.conf', '# no router\nnet.ipv4.ip_forward = 0\n'),
      {
        check: 'forwarding',
        outcome: 'off-at-boot',
        found: expect.stringContaining('/etc/sysctl.d/90-hard.conf'),
      },
    ],
    [
      'ufw that is not at work yet',
      () => file('/etc/ufw/ufw.conf', 'ENABLED=yes\nLOGLEVEL=low\n'),
      { check: 'firewall', outcome: 'not-yet', remedy: expect.stringContaining('ufw allow 8472/udp') },
    ],
    [
      'firewalld, by its unit',
      () => file('/run/systemd/units/invocation:firewalld.service', ''),
      { check: 'firewall', outcome: 'untold', remedy: expect.stringContaining('firewall-cmd --reload') },
    ],
    [
      'firewalld, by its table',
      () => inNamespace(host.path, 'nft', 'add', 'table', 'inet', 'firewalld'),
      { check: 'firewall', outcome: 'untold' },
    ],
    [
      'systemd-networkd as it comes',
      () => file('/run/systemd/units/invocation:systemd-networkd.service', ''),
      { check: 'networkd', outcome: 'removes' },
    ],
    [
      'NetworkManager as it comes',
      () => file('/run/systemd/units/invocation:NetworkManager.service', ''),
      { check: 'networkmanager', outcome: 'manages' },
    ],
    [
      'a folder where no file can be made',
      () => file('/var/lib/poplin', 'in the way'),
      { check: 'folders', outcome: 'refused', found: expect.stringContaining('/var/lib/poplin') },
    ],
  ])('%s, and of nothing else', (_name, spoil, finding, args = []) => {
    spoil();
    const before = picture();
    const outcome = check(args);
    const [first, ...others] = complaints(outcome);
    expect(first).toMatchObject(finding);
    const also = ALSO[first?.check ?? ''] ?? [];
    expect(others.filter(({ check: name }) => !also.includes(name))).toEqual([]);
    expect(outcome.status).toBe({ problem: 1, unknown: 3, warning: 0, ok: 0 }[first?.level ?? 'ok']);
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
    // Anybody sees that it is taken, and root alone by whom.
    expect(check([], 65_534).findings.filter(({ check: name }) => name === 'port')).toEqual([
      expect.objectContaining({ outcome: 'unseen', level: 'unknown' }),
      expect.objectContaining({ outcome: 'unseen', level: 'unknown' }),
    ]);
  });
});

test.each<[string, string, string[]]>([
  ['another VNI on the same port', 'vx9', ['id', '9', 'dstport', '8472', 'dev', 'eth0']],
  ['the same VNI on another port', 'vx1', ['id', '1', 'dstport', '4789', 'dev', 'eth0']],
  ['the same VNI on the same port', 'vx1', ['id', '1', 'dstport', '8472', 'dev', 'eth0']],
  ['the same in IPv6', 'vx1', ['id', '1', 'dstport', '8472', 'local', '2001:db8::1', 'dev', 'eth0']],
  ['another VNI with GBP', 'vx9', ['id', '9', 'dstport', '8472', 'dev', 'eth0', 'gbp']],
  ['a VNI that comes with each packet', 'vx0', ['dstport', '8472', 'external']],
  ['the same on another port with GBP', 'vx1', ['id', '1', 'dstport', '4789', 'dev', 'eth0', 'gbp']],
])('what is said of a VXLAN device is what the kernel does: %s', (_name, name, more) => {
  vxlan(name, ...more);
  for (const [family, local, own] of [
    ['ipv4', '192.0.2.1', 'flannel.1'],
    ['ipv6', '2001:db8::1', 'flannel-v6.1'],
  ] as const) {
    const { status } = check(['--family', family]);
    let isRefused = false;
    try {
      vxlan(own, 'id', '1', 'dstport', '8472', 'local', local, 'dev', 'eth0', 'nolearning');
    } catch {
      isRefused = true;
    }
    expect([family, status]).toEqual([family, isRefused ? 1 : 0]);
    for (const each of ip('-o', 'link').includes(` ${own}`) ? [own] : []) ip('link', 'del', each);
  }
});

test('what other programs were told to leave alone is no complaint', () => {
  file('/run/systemd/units/invocation:systemd-networkd.service', '');
  file(
    '/etc/systemd/networkd.conf.d/poplin.conf',
    '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n',
  );
  file('/run/systemd/units/invocation:NetworkManager.service', '');
  file(
    '/etc/NetworkManager/conf.d/poplin.conf',
    '[keyfile]\nunmanaged-devices=interface-name:flannel*;interface-name:pop*;interface-name:veth*;interface-name:cni*\n',
  );
  file('/run/systemd/units/invocation:firewalld.service', '');
  file('/etc/firewalld/zones/public.xml', '<zone><port port="8472" protocol="udp"/></zone>');
  file(
    '/etc/firewalld/zones/trusted.xml',
    '<zone><source address="10.244.0.0/16"/><source address="fd00:10:244::/48"/></zone>',
  );
  expect(complaints(check())).toEqual([]);
});

test('a network that is planned is compared with the routes of the host', () => {
  file('/net-conf.json', '{"Network":"192.0.0.0/16","Backend":{"Type":"host-gw"}}');
  const { status, findings } = check(['--net-conf', join(files, 'net-conf.json')]);
  expect(findings).toContainEqual(
    expect.objectContaining({
      check: 'overlap',
      outcome: 'overlaps',
      found: expect.stringContaining('eth0 leads to 192.0.2.0/24, which overlaps 192.0.0.0/16'),
    }),
  );
  expect(status).toBe(1);
  file('/net-conf.json', '{"Network":"10.77.0.0/16","Backend":{"Type":"host-gw"}}');
  ip('route', 'add', '10.77.3.0/24', 'via', '192.0.2.7');
  expect(check(['--net-conf', join(files, 'net-conf.json')]).findings).toContainEqual(
    expect.objectContaining({ check: 'overlap', outcome: 'by-hand', level: 'ok' }),
  );
});

test('an ordinary user is told what he sees, and that it is not all', () => {
  wall();
  ip('link', 'add', 'weave', 'type', 'bridge');
  expect(check().findings.filter(({ check: name }) => name === 'forward')).toMatchObject([
    { outcome: 'nft' },
  ]);
  const { status, findings } = check([], 65_534);
  expect(status).toBe(3);
  const of = (wanted: string) => findings.filter(({ level }) => level === wanted).map((each) => each.check);
  expect(of('unknown')).toEqual(['privileges', 'trials', 'forward', 'bridge-nf', 'folders']);
  expect(findings).toContainEqual(
    expect.objectContaining({ check: 'remains', found: 'Weave was here: link weave' }),
  );
});

test('a network configuration with a backend that nobody knows is refused', () => {
  file('/net-conf.json', '{"Network":"10.1.0.0/16","Backend":{"Type":"vxlann"}}');
  expect(() => check(['--net-conf', join(files, 'net-conf.json')])).toThrow(/unknown backend type "vxlann"/);
});
