import { describe, expect, test } from 'vitest';
import { type NetConf, parseNetConf } from '#core/lease/index.ts';
import type { HostFacts, HostLink, HostSocket, InstallPlan, KernelFacts, RuleFacts } from './facts.ts';
import { FEATURE_NAMES, FEATURES, type FeatureName } from './features-table.ts';
import { CHECK_NAMES, CHECKS, type CheckName, checkHost, worstLevel } from './findings.ts';

const allOptions = new Map(
  Object.values(FEATURES).flatMap(({ parts }) => parts.map(({ option }) => [option, 'y'] as const)),
);
const KERNEL: KernelFacts = {
  release: '6.12.1-amd64',
  options: allOptions,
  builtin: undefined,
  loadable: undefined,
  loaded: new Set(),
  barred: new Map(),
  isClosed: false,
  trials: new Map(),
};
/** With a module for WireGuard, in the state that the change says. */
const wireguard = (change: Partial<KernelFacts>): Partial<HostFacts> => ({
  kernel: { ...KERNEL, options: new Map([...allOptions, ['WIREGUARD', 'm']]), ...change },
});
const without = (...options: string[]): KernelFacts => ({
  ...KERNEL,
  options: new Map([...allOptions].filter(([option]) => !options.includes(option))),
});

const ETH0: HostLink = {
  name: 'eth0',
  kind: 'other',
  isOurs: false,
  isUp: true,
  mtuBytes: 1500,
  addresses: ['192.0.2.1', '2001:db8::1'],
};
const RULES: RuleFacts = { forwardDrops: [], names: [] };

/** A host on which all is well. */
const SOUND: HostFacts = {
  isRoot: true,
  lackingCapabilities: [],
  kernel: KERNEL,
  sysctls: new Map([
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv6/conf/all/forwarding', '1'],
    ['net/ipv6/conf/default/disable_ipv6', '0'],
    ['net/ipv6/conf/eth0/disable_ipv6', '0'],
  ]),
  bootSysctls: [],
  links: [ETH0],
  defaultRoutes: [
    { family: 4, link: 'eth0' },
    { family: 6, link: 'eth0' },
  ],
  foreignRoutes: [{ prefix: '192.0.2.0/24', link: 'eth0', isByHand: false }],
  sockets: [],
  rules: RULES,
  units: new Set(['ssh.service']),
  firewalls: [],
  networkdLeaves: [],
  networkdMatches: [],
  unmanagedLinks: [],
  cniFiles: { value: [] },
  remains: [],
  flannelProcesses: { value: [] },
  folders: [{ path: '/run/poplin', freeBytes: 2 ** 30, freeFiles: 100_000 }],
  wireguardKey: { value: undefined },
  clock: { today: '2026-05-02', made: '2026-05-01' },
};
/** What an ordinary user sees of it. */
const UNSEEN: Partial<HostFacts> = {
  isRoot: false,
  kernel: { ...KERNEL, untried: 'that takes root' },
  rules: undefined,
  folders: undefined,
};

function netConf(backend: object, families: 'ipv4' | 'dual' = 'dual'): NetConf {
  const ipv6 = families === 'dual' ? { EnableIPv6: true, IPv6Network: 'fd00::/48' } : {};
  const parsed = parseNetConf(JSON.stringify({ Network: '10.1.0.0/16', ...ipv6, Backend: backend }), 'test');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

function planOf(
  backend: object = { Type: 'vxlan' },
  families: 'ipv4' | 'dual' = 'dual',
  more: Partial<InstallPlan> = {},
): InstallPlan {
  return {
    netConf: netConf(backend, families),
    families: families === 'ipv4' ? [4] : [4, 6],
    isExample: false,
    confDir: '/etc/cni/net.d',
    binDir: '/opt/cni/bin',
    ...more,
  };
}

const WIREGUARD = planOf({ Type: 'wireguard' });
const HEALTH = planOf({ Type: 'vxlan' }, 'dual', { healthPort: 10254 });
const sysctls = (...pairs: [string, string][]) => new Map([...SOUND.sysctls, ...pairs]);
const udp = (more: Partial<HostSocket> = {}): HostSocket => ({
  protocol: 'udp',
  family: 4,
  address: '0.0.0.0',
  port: 8472,
  holder: 'kernel',
  ...more,
});
const tcp = (holder: string | undefined): HostSocket => ({
  protocol: 'tcp',
  family: 6,
  address: '::',
  port: 10254,
  holder,
});
const link = (name: string, more: Partial<HostLink> = {}): HostLink => ({
  name,
  kind: 'dummy',
  isOurs: false,
  isUp: true,
  mtuBytes: 1500,
  addresses: [],
  ...more,
});
const vxlan = (name: string, vni: number, port: number, kinds: string[] = [], more: Partial<HostLink> = {}) =>
  link(name, { kind: 'vxlan', vxlan: { vni, port, families: [4], kinds }, ...more });
const withLinks = (...links: HostLink[]) => ({ links: [ETH0, ...links] });
const rules = (more: Partial<RuleFacts>): Partial<HostFacts> => ({ rules: { ...RULES, ...more } });
const atWork = (...units: string[]) => new Set(units.map((name) => `${name}.service`));
const cni = (...files: [string, ...string[]][]): Partial<HostFacts> => ({
  cniFiles: { value: files.map(([name, ...types]) => ({ name, types })) },
});

type Case = readonly [
  change: Partial<HostFacts>,
  plan: InstallPlan,
  /** Pieces of what was found and of the remedy. */
  said?: string | readonly string[],
];

/** For each check and each of its outcomes a host on which it comes out so. */
const CASES: Readonly<Record<CheckName, Readonly<Record<string, Case>>>> = {
  privileges: {
    root: [{}, planOf()],
    'not-root': [UNSEEN, planOf(), 'sudo'],
    lacking: [{ lackingCapabilities: ['CAP_SYS_ADMIN'] }, planOf(), ['CAP_SYS_ADMIN', '--cap-add']],
  },
  kernel: {
    works: [
      {
        kernel: {
          ...without(),
          options: undefined,
          trials: new Map(FEATURE_NAMES.map((name) => [name, { works: true }])),
        },
      },
      WIREGUARD,
      'WireGuard',
    ],
    loadable: [wireguard({ loadable: new Set(['wireguard']) }), WIREGUARD, 'first used: wireguard'],
    absent: [{ kernel: without('WIREGUARD') }, WIREGUARD, 'no CONFIG_WIREGUARD'],
    fileless: [wireguard({ loadable: new Set(['veth']) }), WIREGUARD, 'modprobe -a wireguard'],
    barred: [
      wireguard({
        loadable: new Set(['wireguard']),
        barred: new Map([['wireguard', '/etc/modprobe.d/hard.conf']]),
      }),
      WIREGUARD,
      '/etc/modprobe.d/hard.conf keeps it',
    ],
    untold: [wireguard({}), WIREGUARD, '--load-modules'],
  },
  'kernel-others': {
    works: [{}, planOf()],
    loadable: [wireguard({ loadable: new Set(['wireguard']) }), planOf(), 'first used: wireguard'],
    absent: [
      { kernel: without('IPVLAN', 'BRIDGE_VLAN_FILTERING') },
      planOf(),
      ['plugin ipvlan', 'no CONFIG_BRIDGE_VLAN'],
    ],
    fileless: [wireguard({ loadable: new Set(['veth']) }), planOf(), 'nothing where they are not used'],
    barred: [
      wireguard({ loadable: new Set(['wireguard']), isClosed: true }),
      planOf(),
      'kernel.modules_disabled',
    ],
    untold: [wireguard({}), planOf()],
  },
  'kernel-policies': {
    works: [{}, planOf()],
    loadable: [
      { kernel: { ...KERNEL, options: undefined, builtin: new Set(), loadable: allModules() } },
      planOf(),
      'nfnetlink_log',
    ],
    absent: [{ kernel: { ...KERNEL, release: '5.4.0' } }, planOf(), 'since 5.6'],
    fileless: [
      {
        kernel: {
          ...KERNEL,
          options: new Map([...allOptions, ['NF_CONNTRACK_BRIDGE', 'm']]),
          loadable: new Set(),
        },
      },
      planOf(),
      'modprobe -a nf_conntrack_bridge',
    ],
    barred: [
      {
        kernel: {
          ...KERNEL,
          options: new Map([...allOptions, ['NFT_LOG', 'm']]),
          loadable: new Set(['nft_log']),
          barred: new Map([['nft_log', '/etc/modprobe.d/a.conf']]),
        },
      },
      planOf(),
      'policies',
    ],
    untold: [
      { kernel: { ...KERNEL, options: new Map([...allOptions, ['NFT_LOG', 'm']]) } },
      planOf(),
      'log groups',
    ],
  },
  trials: {
    tried: [{}, planOf(), 'without loading modules'],
    loaded: [{ kernel: { ...KERNEL, newModules: ['ipip', 'tunnel4'] } }, planOf(), 'ipip, tunnel4'],
    'not-root': [UNSEEN, planOf()],
    failed: [{ kernel: { ...KERNEL, untried: 'EPERM' } }, planOf(), 'EPERM'],
  },
  forwarding: {
    on: [{}, planOf()],
    'agent-turns-on': [
      { sysctls: sysctls(['net/ipv4/ip_forward', '0']) },
      planOf(),
      'net/ipv4/ip_forward: off',
    ],
    'off-at-boot': [
      { bootSysctls: [{ file: '/etc/sysctl.d/99-x.conf', path: 'net/ipv4/ip_forward', value: '0' }] },
      planOf(),
      ['/etc/sysctl.d/99-x.conf', 'take the line out'],
    ],
  },
  conntrack: {
    'not-yet': [{}, planOf()],
    enough: [{ sysctls: sysctls(['net/netfilter/nf_conntrack_max', '262144']) }, planOf()],
    few: [
      { sysctls: sysctls(['net/netfilter/nf_conntrack_max', '8192']) },
      planOf(),
      'nf_conntrack_max=131072',
    ],
    full: [
      {
        sysctls: sysctls(
          ['net/netfilter/nf_conntrack_max', '262144'],
          ['net/netfilter/nf_conntrack_count', '260000'],
        ),
      },
      planOf(),
      ['260000 of 262144', 'nf_conntrack_max=524288'],
    ],
  },
  clock: {
    set: [{}, planOf()],
    unset: [{ clock: { today: '1970-01-01', made: '2026-05-01' } }, planOf(), 'timedatectl'],
  },
  backend: {
    carried: [{}, planOf()],
    'leases-only': [{}, planOf({ Type: 'alloc' })],
    'not-carried': [{}, planOf({ Type: 'ipsec', PSK: 'x'.repeat(96) }), ['ipsec: ', 'wireguard']],
  },
  underlay: {
    found: [{}, planOf(), '192.0.2.1, 2001:db8::1'],
    none: [{ defaultRoutes: [] }, planOf(), '--iface'],
    'no-such-link': [{}, planOf({ Type: 'vxlan' }, 'dual', { iface: 'eth7' }), 'eth7'],
    'no-address': [{ links: [{ ...ETH0, addresses: ['192.0.2.1'] }] }, planOf(), 'eth0 has no IPv6 address'],
  },
  ipv6: {
    on: [{}, planOf()],
    absent: [{ sysctls: new Map([['net/ipv4/ip_forward', '1']]) }, planOf(), 'ipv6.disable=1'],
    off: [
      { sysctls: sysctls(['net/ipv6/conf/eth0/disable_ipv6', '1']) },
      planOf(),
      ['net/ipv6/conf/eth0/disable_ipv6', 'disable_ipv6=0'],
    ],
    'off-at-boot': [
      { bootSysctls: [{ file: '/etc/sysctl.conf', path: 'net/ipv6/conf/all/disable_ipv6', value: '1' }] },
      planOf(),
      '/etc/sysctl.conf turns it off',
    ],
  },
  mtu: {
    enough: [{}, planOf(), 'vxlan leaves 1430'],
    'too-small': [
      { links: [{ ...ETH0, mtuBytes: 1300 }] },
      planOf(),
      ['leaves 1230', 'ip link set eth0 mtu'],
    ],
    refused: [{}, planOf({ Type: 'wireguard', Mode: 'ipv6' }, 'ipv4'), 'Mode'],
    unknown: [{ defaultRoutes: [] }, planOf()],
  },
  overlap: {
    none: [{}, planOf()],
    'by-hand': [
      { foreignRoutes: [{ prefix: '10.1.7.0/24', link: 'eth0', isByHand: true }] },
      planOf({ Type: 'host-gw' }),
      '10.1.7.0/24',
    ],
    overlaps: [
      { foreignRoutes: [{ prefix: '10.1.128.0/17', link: 'docker0', isByHand: false }] },
      planOf(),
      'docker0 leads to 10.1.128.0/17, which overlaps 10.1.0.0/16',
    ],
  },
  port: {
    free: [{}, WIREGUARD, 'UDP 51820, 51821'],
    ours: [{ sockets: [udp({ port: 8285, holder: 'poplin-tunnel (pid 9)' })] }, planOf({ Type: 'udp' })],
    shared: [{ sockets: [udp()], ...withLinks(vxlan('vx9', 9, 8472)) }, planOf(), 'vx9'],
    taken: [
      { sockets: [udp({ holder: 'dnsmasq (pid 7)' })] },
      planOf(),
      ['UDP 8472 is taken at 0.0.0.0 by dnsmasq (pid 7)', 'end it'],
    ],
    device: [
      { sockets: [udp()], ...withLinks(vxlan('cilium_vxlan', 0, 8472, ['external'])) },
      planOf(),
      ['cilium_vxlan', 'external'],
    ],
    kernel: [{ sockets: [udp()] }, planOf(), 'ip -all netns exec ip -details link show type vxlan'],
    'perhaps-both': [
      { sockets: [udp({ family: 6, address: '::', holder: 'dnsmasq (pid 7)' })] },
      planOf({ Type: 'vxlan' }, 'ipv4'),
      'for IPv4 too',
    ],
    unseen: [{ ...UNSEEN, sockets: [udp({ holder: undefined })] }, planOf(), 'only root sees'],
  },
  vni: {
    free: [{}, planOf()],
    taken: [withLinks(vxlan('vx1', 1, 8472)), planOf(), ['vx1 has VNI 1 on port 8472', 'ip link delete vx1']],
  },
  'link-names': {
    free: [{}, planOf(), 'flannel.1, flannel-v6.1'],
    ours: [withLinks(vxlan('flannel.1', 1, 8472)), planOf(), 'flannel.1'],
    taken: [withLinks(link('flannel.1')), planOf(), 'of kind dummy'],
  },
  'healthz-port': {
    free: [{}, HEALTH],
    ours: [{ sockets: [tcp('poplin agent (pid 4)')] }, HEALTH],
    taken: [{ sockets: [tcp('kube-proxy (pid 5)')] }, HEALTH, ['kube-proxy (pid 5)', '--healthz-port']],
    unseen: [{ ...UNSEEN, sockets: [tcp(undefined)] }, HEALTH],
  },
  'rp-filter': {
    off: [{}, planOf()],
    harmless: [{ sysctls: sysctls(['net/ipv4/conf/all/rp_filter', '1']) }, planOf()],
    strict: [
      {
        sysctls: sysctls(['net/ipv4/conf/eth0/rp_filter', '1']),
        ...withLinks(link('eth1', { addresses: ['198.51.100.1'] })),
      },
      planOf(),
      ['eth1', 'net.ipv4.conf.eth0.rp_filter=2'],
    ],
  },
  firewall: {
    none: [{}, planOf()],
    told: [
      {
        units: atWork('ufw'),
        firewalls: [
          { name: 'ufw', isEnabled: true, rules: '--dport 8472 -j ACCEPT\n-s 10.1.0.0/16\n-s fd00::/48' },
        ],
      },
      planOf(),
    ],
    untold: [
      { units: atWork('firewalld'), firewalls: [{ name: 'firewalld', isEnabled: true, rules: '' }] },
      WIREGUARD,
      [
        'firewalld is at work',
        '  firewall-cmd --permanent --add-port=51820/udp\n  firewall-cmd --permanent --add-port=51821/udp\n',
        '--zone=trusted --add-source=fd00::/48\n',
      ],
    ],
    'not-yet': [
      { firewalls: [{ name: 'ufw', isEnabled: true, rules: '' }] },
      planOf({ Type: 'host-gw' }),
      ['after the next boot', '  ufw allow from 10.1.0.0/16\n  ufw route allow from 10.1.0.0/16'],
    ],
    unseen: [
      { ...UNSEEN, firewalls: [{ name: 'ufw', isEnabled: true, rules: undefined }] },
      planOf(),
      'only root sees',
    ],
    unsure: [{ ...UNSEEN, units: undefined }, planOf()],
  },
  forward: {
    none: [{}, planOf()],
    iptables: [
      rules({ forwardDrops: [{ program: 'iptables', chain: 'FORWARD', by: 'policy' }], names: ['DOCKER'] }),
      planOf(),
      ["Docker's doing", 'POPLIN-FWD'],
    ],
    rule: [
      rules({ forwardDrops: [{ program: 'ip6tables', chain: 'FORWARD', by: 'rule' }] }),
      planOf(),
      '  ip6tables -I FORWARD -s fd00::/48 -j ACCEPT\n  ip6tables -I FORWARD -d fd00::/48 -j ACCEPT',
    ],
    nft: [
      rules({ forwardDrops: [{ program: 'nft', chain: 'inet wall forward', by: 'policy' }] }),
      planOf(),
      '  nft insert rule inet wall forward ip6 saddr fd00::/48 accept\n',
    ],
    partly: [rules({ unseen: 'iptables has rules, and the program is not installed' }), planOf(), 'by hand'],
    unseen: [UNSEEN, planOf()],
  },
  'bridge-nf': {
    off: [{}, planOf()],
    on: [{ sysctls: sysctls(['net/bridge/bridge-nf-call-iptables', '1']) }, planOf()],
    drops: [
      {
        sysctls: sysctls(['net/bridge/bridge-nf-call-iptables', '1']),
        ...rules({ forwardDrops: [{ program: 'nft', chain: 'inet wall forward', by: 'policy' }] }),
      },
      planOf(),
      ['inet wall forward', 'net.bridge.bridge-nf-call-iptables=0'],
    ],
    unseen: [{ ...UNSEEN, sysctls: sysctls(['net/bridge/bridge-nf-call-iptables', '1']) }, planOf()],
  },
  networkd: {
    absent: [{}, planOf()],
    keeps: [
      {
        units: atWork('systemd-networkd'),
        networkdLeaves: ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules'],
      },
      planOf(),
    ],
    removes: [
      { units: atWork('systemd-networkd'), networkdLeaves: ['ManageForeignRoutes'] },
      planOf(),
      '  [Network]\n  ManageForeignRoutingPolicyRules=no\n',
    ],
    matches: [
      {
        units: atWork('systemd-networkd'),
        networkdLeaves: ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules'],
        networkdMatches: [
          { file: '/etc/systemd/network/00-poplin.network', names: ['cni*', 'pop*', 'veth*'], leaves: true },
          { file: '/etc/systemd/network/all.network', names: ['!lo'], leaves: false },
        ],
      },
      planOf(),
      ['all.network matches links of Poplin (flannel.1, flannel-v6.1)', 'Unmanaged=yes'],
    ],
    unsure: [{ units: undefined }, planOf(), 'on the host'],
  },
  networkmanager: {
    absent: [{}, planOf()],
    keeps: [
      { units: atWork('NetworkManager'), unmanagedLinks: ['flannel*', 'pop*', 'cni?', 'veth*'] },
      planOf(),
    ],
    manages: [
      { units: atWork('NetworkManager'), unmanagedLinks: ['flannel.1', 'pop*', 'cni?', 'veth*'] },
      planOf(),
      [': flannel-v6.1', 'unmanaged-devices=interface-name:flannel*;'],
    ],
    unsure: [{ units: undefined }, planOf()],
  },
  flanneld: {
    none: [{}, planOf()],
    runs: [{ flannelProcesses: { value: [812] } }, planOf(), ['pid 812', 'systemctl disable --now flanneld']],
    unseen: [{ flannelProcesses: { unseen: 'hidepid' } }, planOf(), 'hidepid'],
  },
  remains: {
    none: [{}, planOf()],
    left: [
      {
        remains: [{ of: 'Cilium', what: 'link cilium_host' }],
        ...rules({ names: ['CILIUM_FORWARD', 'CILIUM_INPUT'] }),
      },
      planOf(),
      ['chain CILIUM_FORWARD, chain CILIUM_INPUT and 1 more', 'cilium'],
    ],
    unseen: [UNSEEN, planOf()],
  },
  'cni-config': {
    none: [{}, planOf(), 'poplin cni install'],
    ours: [cni(['10-poplin.conflist', 'poplin']), planOf()],
    others: [cni(['05-flannel.conflist', 'flannel', 'portmap']), planOf(), ['flannel, portmap', '--replace']],
    behind: [
      cni(['87-podman.conflist', 'bridge']),
      planOf({}, 'dual', { confDir: '/etc/cni' }),
      '--conf-dir /etc/cni',
    ],
    first: [
      cni(['05-other.conf', 'bridge'], ['10-poplin.conflist', 'poplin']),
      planOf(),
      ['before 10-poplin.conflist', 'mv /etc/cni/net.d/05-other.conf'],
    ],
    unusable: [
      {
        cniFiles: {
          value: [
            { name: '10-poplin.conflist', types: ['poplin'] },
            { name: '20-x.conf', types: [], problem: 'Unexpected token' },
          ],
        },
      },
      planOf(),
      ['Unexpected token', 'poplin cni validate /etc/cni/net.d/20-x.conf'],
    ],
    unseen: [{ cniFiles: { unseen: '/etc/cni/net.d: EACCES' } }, planOf(), 'EACCES'],
  },
  folders: {
    writable: [{}, planOf()],
    refused: [
      { folders: [{ path: '/var/lib/cni', error: 'EROFS' }] },
      planOf(),
      ['/var/lib/cni: EROFS', 'writable'],
    ],
    full: [{ folders: [{ path: '/var/lib/cni', freeBytes: 1_000_000 }] }, planOf(), '0 MB'],
    unseen: [UNSEEN, planOf()],
  },
  'wireguard-key': {
    kept: [{}, WIREGUARD],
    open: [
      { wireguardKey: { value: '/run/flannel/wgkey is readable for others: chmod 0600' } },
      WIREGUARD,
      ['readable for others', 'chmod 0600'],
    ],
    unseen: [{ wireguardKey: { unseen: 'EACCES' } }, WIREGUARD, 'EACCES'],
  },
};

function allModules(): ReadonlySet<string> {
  return new Set(
    Object.values(FEATURES).flatMap(({ parts }) =>
      parts.flatMap((part) => ('module' in part && part.module !== undefined ? [part.module] : [])),
    ),
  );
}

/** Where one cause has its say in several checks, those beside the one it is a case of. */
const TOGETHER: Readonly<Record<string, readonly CheckName[]>> = {
  'kernel-policies absent': [],
  'kernel-policies loadable': ['kernel-others', 'kernel'],
  'kernel untold': ['kernel-others'],
  'underlay none': ['mtu'],
  'underlay no-such-link': ['mtu'],
  'underlay no-address': ['mtu'],
  'mtu unknown': ['underlay'],
  'bridge-nf drops': ['forward'],
  'networkd unsure': ['networkmanager'],
  'networkmanager unsure': ['networkd'],
  'firewall unsure': ['networkmanager', 'networkd'],
};

const ALL = Object.entries(CASES).flatMap(([check, outcomes]) =>
  Object.entries(outcomes).map(([outcome, found]) => [check as CheckName, outcome, found] as const),
);

describe('checkHost', () => {
  test('every outcome of every check has a case, and no other has', () => {
    for (const name of CHECK_NAMES)
      expect(Object.keys(CASES[name]), name).toEqual(Object.keys(CHECKS[name].outcomes));
  });

  test.each(ALL)('%s: %s', (check, outcome, [change, plan, said = []]) => {
    const findings = checkHost({ ...SOUND, ...change }, plan);
    const found = findings.find((each) => each.check === check && each.outcome === outcome);
    expect(found, JSON.stringify(findings.filter((each) => each.check === check))).toBeDefined();
    const text = `${found?.found}\n${found?.remedy ?? ''}`;
    for (const piece of [said].flat()) expect(text).toContain(piece);
    expect(found?.remedy !== undefined || found?.level === 'ok').toBe(true);
    // Nothing else is said to be wrong because of it: but what an ordinary user does not see is unknown everywhere.
    const together = TOGETHER[`${check} ${outcome}`] ?? [];
    const others = findings.filter((each) => each.level !== 'ok' && each.check !== check);
    const unexpected = others.filter((each) => each.level !== 'unknown' || change.isRoot !== false);
    expect(unexpected.filter((each) => !together.includes(each.check))).toEqual([]);
  });

  test('a sound host is found sound for every backend that is carried', () => {
    for (const type of ['vxlan', 'udp', 'host-gw', 'wireguard', 'ipip', 'alloc', 'extension']) {
      const findings = checkHost(SOUND, planOf({ Type: type }));
      expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
      expect(worstLevel(findings)).toBe('ok');
    }
  });

  test('an ordinary user is told "ok" of nothing that only root sees', () => {
    const findings = checkHost({ ...SOUND, ...UNSEEN }, planOf());
    const unknown = findings.filter(({ level }) => level === 'unknown').map(({ check }) => check);
    expect(unknown).toEqual(['privileges', 'trials', 'forward', 'remains', 'folders']);
    expect(worstLevel(findings)).toBe('unknown');
  });

  test('every feature that is lacking is told of, by what needs it', () => {
    for (const name of FEATURE_NAMES) {
      const { parts } = FEATURES[name];
      const options = parts.map(({ option }) => option);
      const findings = checkHost({ ...SOUND, kernel: without(...options) }, planOf());
      const bad = findings.filter(({ level }) => level !== 'ok');
      expect(bad.map(({ found }) => found).join(), name).toContain(FEATURES[name].what);
      expect(bad.every(({ outcome }) => outcome === 'absent')).toBe(true);
    }
  });

  test('what was tried and refused is lacking, whatever the kernel was built with', () => {
    const trials = new Map<FeatureName, { works: false; error: string }>([
      ['vxlan', { works: false, error: 'EPERM' }],
    ]);
    const findings = checkHost({ ...SOUND, kernel: { ...KERNEL, trials } }, planOf());
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'kernel',
        level: 'problem',
        found: expect.stringContaining('VXLAN (EPERM)'),
      }),
    );
  });
});

describe('a VXLAN device is in the way only where the kernel says so', () => {
  test.each<[string, HostLink[], InstallPlan, string[]]>([
    ['of another VNI on the same port', [vxlan('vx9', 9, 8472)], planOf(), []],
    ['of the same VNI on another port', [vxlan('vx1', 1, 4789)], planOf(), []],
    ['of the same VNI and port', [vxlan('vx1', 1, 8472)], planOf(), ['vni']],
    [
      'of the same VNI and port in IPv6 where IPv4 alone is planned',
      [vxlan('vx1', 1, 8472, [], { vxlan: { vni: 1, port: 8472, families: [6], kinds: [] } })],
      planOf({ Type: 'vxlan' }, 'ipv4'),
      [],
    ],
    ['that flannel left under our name', [vxlan('flannel.1', 1, 8472)], planOf(), []],
    ['of ours', [vxlan('flannel.1', 1, 8472, [], { isOurs: true, alias: 'poplin:overlay' })], planOf(), []],
    [
      'that gets its VNI from elsewhere, on the same port',
      [vxlan('c', 0, 8472, ['external'])],
      planOf(),
      ['port'],
    ],
    ['of another kind that is down', [vxlan('c', 0, 8472, ['external'], { isUp: false })], planOf(), []],
    [
      'with GBP, where GBP is planned',
      [vxlan('g', 5, 8472, ['GBP'])],
      planOf({ Type: 'vxlan', GBP: true }),
      [],
    ],
    ['with GBP, where none is planned', [vxlan('g', 5, 8472, ['GBP'])], planOf(), ['port']],
    ['on the port of another backend', [vxlan('vx9', 9, 8285)], planOf({ Type: 'udp' }), ['port']],
    ['under our name with another VNI', [vxlan('flannel.1', 7, 8472)], planOf(), ['link-names']],
    [
      'under our name with the alias of somebody',
      [vxlan('flannel.1', 1, 8472, [], { alias: 'mine' })],
      planOf(),
      ['link-names'],
    ],
  ])('%s', (_name, links, plan, checks) => {
    const [first] = links;
    const { port = 0, families: [family = 4] = [] } = first?.vxlan ?? {};
    const sockets = first?.isUp === true ? [udp({ port, family })] : [];
    const findings = checkHost({ ...SOUND, ...withLinks(...links), sockets }, plan);
    expect(findings.filter(({ level }) => level !== 'ok').map(({ check }) => check)).toEqual(checks);
  });
});
