import { describe, expect, test } from 'vitest';
import { type NetConf, parseNetConf } from '#core/lease/index.ts';
import { CHECK_NAMES, type HostFacts, type InstallPlan, type ProbeResult } from './facts.ts';
import { checkHost, hasProblem } from './findings.ts';
import { PROBE_NAMES, type ProbeName } from './probes-table.ts';

const WORKS: ProbeResult = { works: true };
const FAILS: ProbeResult = { works: false, error: 'EOPNOTSUPP' };
const probes = (...failing: ProbeName[]) =>
  new Map(PROBE_NAMES.map((name) => [name, failing.includes(name) ? FAILS : WORKS]));

/** A host on which all is well. */
const SOUND: HostFacts = {
  isRoot: true,
  release: '6.12.1',
  lackingCapabilities: [],
  probes: probes(),
  sysctls: new Map([
    ['net/ipv4/ip_forward', '0'],
    ['net/ipv6/conf/all/forwarding', '0'],
    ['net/ipv6/conf/all/disable_ipv6', '0'],
  ]),
  bootSysctls: [],
  udpSockets: [],
  links: [],
  underlay: { link: 'eth0', mtuBytes: 1500 },
  firewalls: [],
  forwardDrops: [],
  networkd: 'absent',
  networkManager: 'absent',
  cniFiles: undefined,
  remains: [],
  flannelProcesses: [],
  folders: [{ path: '/run/poplin', freeBytes: 2 ** 30 }],
};

function netConf(backend: object, families: 'ipv4' | 'dual' = 'dual'): NetConf {
  const ipv6 = families === 'dual' ? { EnableIPv6: true, IPv6Network: 'fd00::/48' } : {};
  const parsed = parseNetConf(JSON.stringify({ Network: '10.1.0.0/16', ...ipv6, Backend: backend }), 'test');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

function planOf(backend: object = { Type: 'vxlan' }, families: 'ipv4' | 'dual' = 'dual'): InstallPlan {
  return {
    netConf: netConf(backend, families),
    families: families === 'ipv4' ? [4] : [4, 6],
    confDir: '/etc/cni/net.d',
    binDir: '/opt/cni/bin',
  };
}

const vxlanSocket = { family: 4, address: '0.0.0.0', port: 8472 } as const;

type Case = readonly [
  name: string,
  change: Partial<HostFacts>,
  plan: InstallPlan,
  finding: { check: (typeof CHECK_NAMES)[number]; level: string; found: string; remedy: string | undefined },
];

const CASES: readonly Case[] = [
  [
    'an ordinary user is told what is missing',
    { isRoot: false, probes: 'that takes root' },
    planOf(),
    { check: 'privileges', level: 'unknown', found: 'not root', remedy: 'sudo' },
  ],
  [
    'a container without capabilities cannot do it',
    { lackingCapabilities: ['CAP_SYS_ADMIN'] },
    planOf(),
    { check: 'privileges', level: 'problem', found: 'CAP_SYS_ADMIN', remedy: '--cap-add' },
  ],
  [
    'a namespace that cannot be made leaves the kernel unknown',
    { probes: 'no network namespace could be made: EPERM' },
    planOf(),
    { check: 'kernel', level: 'unknown', found: 'EPERM', remedy: undefined },
  ],
  [
    'what the planned backend needs is a problem',
    { probes: probes('wireguard') },
    planOf({ Type: 'wireguard' }),
    {
      check: 'kernel',
      level: 'problem',
      found: 'no WireGuard (EOPNOTSUPP)',
      remedy: 'modprobe -a wireguard',
    },
  ],
  [
    'what everything needs is a problem',
    { probes: probes('nft-maps') },
    planOf({ Type: 'host-gw' }),
    { check: 'kernel', level: 'problem', found: 'verdict maps', remedy: 'modprobe -a nf_tables' },
  ],
  [
    'what only another backend or plugin needs is a warning, all in one',
    { probes: probes('wireguard', 'ipvlan') },
    planOf(),
    {
      check: 'kernel',
      level: 'warning',
      found: 'WireGuard (backend wireguard), ipvlan (plugin ipvlan)',
      remedy: 'modprobe -a wireguard ipvlan',
    },
  ],
  [
    'a tunnel of the other family is not needed',
    { probes: probes('ip6tnl') },
    planOf({ Type: 'ipip' }, 'ipv4'),
    { check: 'kernel', level: 'warning', found: 'IPv6 in IPv6', remedy: 'ip6_tunnel' },
  ],
  [
    'IPv6 that is turned off is a problem where it is planned',
    { sysctls: new Map([...SOUND.sysctls, ['net/ipv6/conf/all/disable_ipv6', '1']]) },
    planOf(),
    {
      check: 'sysctl',
      level: 'problem',
      found: 'net/ipv6/conf/all/disable_ipv6 is 1',
      remedy: 'sysctl -w net/ipv6/conf/all/disable_ipv6=0',
    },
  ],
  [
    'a kernel without IPv6',
    { sysctls: new Map([['net/ipv4/ip_forward', '1']]) },
    planOf(),
    { check: 'sysctl', level: 'problem', found: 'no IPv6', remedy: 'ipv6.disable=1' },
  ],
  [
    'a file that turns forwarding off',
    { bootSysctls: [{ file: '/etc/sysctl.d/99-x.conf', path: 'net/ipv4/ip_forward', value: '0' }] },
    planOf(),
    { check: 'sysctl', level: 'warning', found: '/etc/sysctl.d/99-x.conf', remedy: 'take the line out' },
  ],
  [
    'few tracked connections',
    { sysctls: new Map([...SOUND.sysctls, ['net/netfilter/nf_conntrack_max', '8192']]) },
    planOf(),
    { check: 'sysctl', level: 'warning', found: '8192', remedy: 'nf_conntrack_max=131072' },
  ],
  [
    "another program on the backend's port",
    { udpSockets: [{ ...vxlanSocket, process: 'dnsmasq (pid 7)' }] },
    planOf(),
    { check: 'port', level: 'problem', found: 'UDP 8472 is taken at 0.0.0.0 by dnsmasq', remedy: 'end it' },
  ],
  [
    "another network's device on the port",
    { udpSockets: [vxlanSocket], links: [{ name: 'vxlan9', kind: 'vxlan', isOurs: false, port: 8472 }] },
    planOf(),
    { check: 'port', level: 'problem', found: 'a device of the kernel', remedy: 'net-conf.json' },
  ],
  [
    'an underlay that leaves too little for IPv6',
    { underlay: { link: 'eth0', mtuBytes: 1300 } },
    planOf(),
    { check: 'mtu', level: 'problem', found: 'leaves 1230', remedy: 'ip link set eth0 mtu 1350' },
  ],
  [
    'no default route',
    { underlay: undefined },
    planOf(),
    { check: 'mtu', level: 'warning', found: 'no default route', remedy: '--iface' },
  ],
  [
    'firewalld',
    { firewalls: ['firewalld'] },
    planOf({ Type: 'wireguard' }),
    {
      check: 'firewall',
      level: 'warning',
      found: 'firewalld',
      remedy:
        'firewall-cmd --permanent --add-port=51820/udp && firewall-cmd --permanent --add-port=51821/udp && firewall-cmd --permanent --zone=trusted --add-source=10.1.0.0/16',
    },
  ],
  [
    'ufw',
    { firewalls: ['ufw'] },
    planOf({ Type: 'host-gw' }),
    {
      check: 'firewall',
      level: 'warning',
      found: 'ufw',
      remedy: 'ufw allow from 10.1.0.0/16 && ufw route allow from 10.1.0.0/16',
    },
  ],
  [
    "a chain of another's that drops what is forwarded",
    { forwardDrops: [{ program: 'nft', chain: 'inet firewall forward' }] },
    planOf(),
    { check: 'forward', level: 'warning', found: 'inet firewall forward', remedy: 'nft add rule' },
  ],
  [
    'iptables that drops, where the agent helps itself',
    { forwardDrops: [{ program: 'iptables', chain: 'FORWARD' }] },
    planOf(),
    { check: 'forward', level: 'ok', found: 'POPLIN-FWD', remedy: undefined },
  ],
  [
    'networkd that removes routes',
    { networkd: 'removes' },
    planOf(),
    { check: 'networkd', level: 'warning', found: 'removes routes', remedy: 'ManageForeignRoutes=no' },
  ],
  [
    'NetworkManager that manages all links',
    { networkManager: 'manages' },
    planOf(),
    { check: 'networkmanager', level: 'warning', found: 'take over', remedy: 'unmanaged-devices=' },
  ],
  [
    "another network's configuration alone",
    { cniFiles: [{ name: '10-flannel.conflist', types: ['flannel', 'portmap'] }] },
    planOf(),
    { check: 'cni-config', level: 'warning', found: 'flannel, portmap', remedy: 'poplin cni install' },
  ],
  [
    'a configuration that comes before ours',
    {
      cniFiles: [
        { name: '05-other.conf', types: ['bridge'] },
        { name: '10-poplin.conflist', types: ['poplin'] },
      ],
    },
    planOf(),
    {
      check: 'cni-config',
      level: 'problem',
      found: 'before 10-poplin.conflist',
      remedy: 'mv /etc/cni/net.d/05-other.conf',
    },
  ],
  [
    'a configuration that cannot be read',
    {
      cniFiles: [
        { name: '10-poplin.conflist', types: ['poplin'] },
        { name: '20-x.conf', types: [], problem: 'Unexpected token' },
      ],
    },
    planOf(),
    { check: 'cni-config', level: 'warning', found: 'Unexpected token', remedy: 'poplin cni validate' },
  ],
  [
    'remains of another network',
    { remains: [{ of: 'Cilium', what: 'link cilium_host' }] },
    planOf(),
    { check: 'remains', level: 'warning', found: 'link cilium_host', remedy: 'cilium' },
  ],
  [
    'flanneld at work',
    { flannelProcesses: [812] },
    planOf(),
    { check: 'flanneld', level: 'problem', found: 'pid 812', remedy: 'systemctl disable --now flanneld' },
  ],
  [
    'a folder that is read only',
    { folders: [{ path: '/var/lib/cni', error: 'EROFS' }] },
    planOf(),
    { check: 'folders', level: 'problem', found: '/var/lib/cni: EROFS', remedy: 'writable' },
  ],
  [
    'a full disk',
    { folders: [{ path: '/var/lib/cni', freeBytes: 1_000_000 }] },
    planOf(),
    { check: 'folders', level: 'warning', found: '0 MB left', remedy: 'df -h /var/lib/cni' },
  ],
];

describe('checkHost', () => {
  test.each(CASES)('%s', (_name, change, plan, { check, level, found, remedy }) => {
    const findings = checkHost({ ...SOUND, ...change }, plan);
    expect(findings).toContainEqual({
      check,
      level,
      found: expect.stringContaining(found),
      ...(remedy !== undefined && { remedy: expect.stringContaining(remedy) }),
    });
    // Nothing else is wrong because of it.
    expect(findings.filter((each) => each.check !== check && each.level !== 'ok')).toEqual(
      change.isRoot === false ? [expect.objectContaining({ check: 'kernel', level: 'unknown' })] : [],
    );
  });

  test('every check has its say, and has a case in which it complains', () => {
    const findings = checkHost(SOUND, planOf());
    expect([...new Set(findings.map(({ check }) => check))]).toEqual([...CHECK_NAMES]);
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(hasProblem(findings)).toBe(false);
    expect(new Set(CASES.map(([, , , { check }]) => check))).toEqual(new Set(CHECK_NAMES));
  });

  test.each<[string, Partial<HostFacts>, InstallPlan]>([
    [
      "flannel's own device has the port",
      { udpSockets: [vxlanSocket], links: [{ name: 'flannel.1', kind: 'vxlan', isOurs: false, port: 8472 }] },
      planOf(),
    ],
    [
      'the tunnel that an agent left at work has the port',
      { udpSockets: [{ ...vxlanSocket, port: 8285, process: 'poplin-tunnel (pid 9)' }] },
      planOf({ Type: 'udp' }),
    ],
    [
      'the port is taken in a family that is not planned',
      { udpSockets: [{ family: 6, address: '::', port: 8472 }] },
      planOf({ Type: 'vxlan' }, 'ipv4'),
    ],
    ['IPv6 is off where it is not planned', { sysctls: new Map() }, planOf({ Type: 'vxlan' }, 'ipv4')],
    [
      'a later file turns forwarding on again',
      {
        bootSysctls: [
          { file: 'a', path: 'net/ipv4/ip_forward', value: '0' },
          { file: 'b', path: 'net/ipv4/ip_forward', value: '1' },
        ],
      },
      planOf(),
    ],
  ])('all is well where %s', (_name, change, plan) => {
    expect(checkHost({ ...SOUND, ...change }, plan).filter(({ level }) => level !== 'ok')).toEqual([]);
  });

  test('every probe that fails is told of', () => {
    for (const name of PROBE_NAMES) {
      const findings = checkHost({ ...SOUND, probes: probes(name) }, planOf());
      expect(findings.filter(({ level }) => level !== 'ok').map(({ check }) => check)).toEqual(['kernel']);
    }
  });
});
