/** Checks of other programs that change the network, or did: firewalls, network services, other container networks. */
import type { FirewallFacts, FirewallName, HostFacts, InstallPlan, Remains } from './facts.ts';
import { covers, isListed } from './link-pattern.ts';
import { plannedLinks, portsOf } from './planned-node.ts';
import { AS_ROOT, check, type Outcome, type Told, UNSEEN } from './row.ts';

const ROOT_ALONE = 'only root sees the rules of firewalls';

const networksOf = ({ netConf }: InstallPlan) =>
  [netConf.ipv4?.network, netConf.ipv6?.network].filter((each) => each !== undefined);
const portNumbers = ({ netConf, families }: InstallPlan) => {
  const ports = portsOf(netConf.backend);
  return ports === undefined ? [] : [...new Set(families.map((family) => ports[family]))];
};

const FIREWALL = {
  none: { level: 'ok', found: 'neither firewalld nor ufw is at work' },
  told: { level: 'ok', found: '{name} is at work, and was told of the network' },
  untold: {
    level: 'warning',
    found: '{name} is at work, and drops what it was not told of: packets of other nodes and of pods',
    remedy: 'tell it:\n{commands}',
  },
  'not-yet': {
    level: 'warning',
    found: '{name} is not at work, and will be after the next boot',
    remedy: 'tell it of the network before:\n{commands}',
  },
  unseen: {
    level: 'unknown',
    found: '{name} is at work or will be; whether it was told of the network, only root sees',
    remedy: AS_ROOT,
  },
  unsure: { ...UNSEEN, found: 'a container does not see which units are at work, and {why}' },
} as const satisfies Record<string, Outcome>;
type FirewallOutcome = keyof typeof FIREWALL;

const firewall = check({
  looks: 'firewalld and ufw: at work, by their units and rules, and whether they were told of the network',
  outcomes: FIREWALL,
  judge: (facts, plan) => {
    const { firewalls, units, rules } = facts;
    const names: readonly FirewallName[] = ['firewalld', 'ufw'];
    const told = names.flatMap((name) =>
      judgeFirewall(
        name,
        firewalls.find((each) => each.name === name),
        facts,
        plan,
      ),
    );
    if (told.length > 0) return told;
    return units === undefined && rules === undefined ? [['unsure', { why: ROOT_ALONE }]] : [['none']];
  },
});

/** By its rules, which a container sees that systemd says nothing to; by its unit, which anybody sees. */
const FIREWALL_RULES: Readonly<Record<FirewallName, RegExp>> = {
  firewalld: /^(inet|ip|ip6|bridge) firewalld$|^(FWD[IO]_|IN_public)/,
  ufw: /^ufw6?-/,
};

function judgeFirewall(
  name: FirewallName,
  installed: FirewallFacts | undefined,
  { units, rules }: HostFacts,
  plan: InstallPlan,
): Told<FirewallOutcome>[] {
  const pattern = FIREWALL_RULES[name];
  const isAtWork =
    units?.has(`${name}.service`) === true || rules?.names.some((each) => pattern.test(each)) === true;
  if (!isAtWork && installed?.isEnabled !== true) return [];
  if (rules === undefined || (installed !== undefined && installed.rules === undefined))
    return [['unseen', { name }]];
  const commands = firewallCommands(name, plan)
    .map((command) => `  ${command}`)
    .join('\n');
  if (isToldOf(installed?.rules ?? '', plan)) return [['told', { name }]];
  return [[isAtWork ? 'untold' : 'not-yet', { name, commands }]];
}

/** Every network and port is named in its files; as what, only it could say. */
function isToldOf(rules: string, plan: InstallPlan): boolean {
  const words = new Set(rules.split(/[\s"'=<>]+/));
  return [...networksOf(plan), ...portNumbers(plan).map(String)].every((word) => words.has(word));
}

function firewallCommands(name: FirewallName, plan: InstallPlan): string[] {
  const networks = networksOf(plan);
  if (name === 'firewalld')
    return [
      ...portNumbers(plan).map((port) => `firewall-cmd --permanent --add-port=${port}/udp`),
      ...networks.map((network) => `firewall-cmd --permanent --zone=trusted --add-source=${network}`),
      'firewall-cmd --reload',
    ];
  return [
    ...portNumbers(plan).map((port) => `ufw allow ${port}/udp`),
    ...networks.flatMap((network) => [
      `ufw allow from ${network}`,
      `ufw route allow from ${network}`,
      `ufw route allow to ${network}`,
    ]),
  ];
}

const FORWARD = {
  none: { level: 'ok', found: 'no chain drops what is forwarded' },
  iptables: {
    level: 'ok',
    found:
      'the policy of {program}: FORWARD is DROP{docker}; the agent accepts the network there, in POPLIN-FWD',
  },
  rule: {
    level: 'warning',
    found: 'a rule of {program}: FORWARD takes all that no rule before it accepts',
    remedy: 'accept the network before it:\n{commands}',
  },
  nft: {
    level: 'warning',
    found: 'the chain {chain} of nf_tables drops what it does not accept, and no other table undoes that',
    remedy: 'accept the network there:\n{commands}',
  },
  partly: {
    ...UNSEEN,
    remedy: 'look at them by hand: what drops all that is forwarded drops what pods send',
  },
  unseen: UNSEEN,
} as const satisfies Record<string, Outcome>;
type ForwardOutcome = keyof typeof FORWARD;

const forward = check({
  looks: 'chains that drop what is forwarded: a policy, or a rule that takes everything',
  outcomes: FORWARD,
  judge: ({ rules }, plan) => {
    if (rules === undefined) return [['unseen', { why: ROOT_ALONE }]];
    const docker = rules.names.includes('DOCKER') ? ", Docker's doing" : '';
    const told = rules.forwardDrops.map(({ program, chain, by }): Told<ForwardOutcome> => {
      const ownFamily = program === 'ip6tables' ? 6 : 4;
      const networks = networksOf(plan).filter((network) => program === 'nft' || isOf(network, ownFamily));
      if (program === 'nft') return ['nft', { chain, commands: nftAccepts(chain, networks) }];
      if (by === 'policy') return ['iptables', { program, docker }];
      const accepts = networks.flatMap((network) =>
        ['-s', '-d'].map((side) => `  ${program} -I FORWARD ${side} ${network} -j ACCEPT`),
      );
      return ['rule', { program, commands: accepts.join('\n') }];
    });
    if (rules.unseen !== undefined) told.push(['partly', { why: rules.unseen }]);
    return told.length > 0 ? told : [['none']];
  },
});

const isOf = (network: string, family: 4 | 6) => network.includes(':') === (family === 6);

function nftAccepts(chain: string, networks: readonly string[]): string {
  const [family = ''] = chain.split(' ');
  const fitting = networks.filter((network) => family === 'inet' || isOf(network, family === 'ip6' ? 6 : 4));
  return fitting
    .flatMap((network) =>
      ['saddr', 'daddr'].map(
        (side) => `  nft insert rule ${chain} ${isOf(network, 6) ? 'ip6' : 'ip'} ${side} ${network} accept`,
      ),
    )
    .join('\n');
}

const BRIDGE_NF = ['net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables'] as const;

const bridgeNf = check({
  looks:
    'whether packets between pods of one bridge pass the chains for routed ones (br_netfilter), and are dropped there',
  outcomes: {
    off: { level: 'ok', found: 'packets between ports of a bridge pass no chains for routed ones' },
    on: {
      level: 'ok',
      found: 'packets between ports of a bridge pass the chains for routed ones ({paths}), which drop none',
    },
    drops: {
      level: 'warning',
      found:
        'packets between ports of a bridge pass the chains for routed ones ({paths}), and {chain} drops what it does not accept',
      remedy:
        'do what the check forward says, or, where nothing needs it (kube-proxy may)\n  sysctl -w {settings}',
    },
    unseen: { ...UNSEEN, found: '{paths}: on; whether a chain drops what passes, only root sees' },
  },
  judge: ({ sysctls, rules }) => {
    const on = BRIDGE_NF.filter((path) => sysctls.get(path) === '1');
    if (on.length === 0) return [['off']];
    const paths = on.join(', ');
    if (rules === undefined) return [['unseen', { paths }]];
    // The policy of iptables is the agent's to deal with: it accepts the network there.
    const drop = rules.forwardDrops.find(({ program, by }) => program === 'nft' || by === 'rule');
    if (drop === undefined) return [['on', { paths }]];
    const settings = on.map((path) => `${path.replaceAll('/', '.')}=0`).join(' ');
    return [['drops', { paths, chain: `${drop.program} ${drop.chain}`, settings }]];
  },
});

const NETWORKD_KEYS = ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules'] as const;

const networkd = check({
  looks:
    'whether systemd-networkd removes routes and rules that it did not make, or takes links of Poplin for its own',
  outcomes: {
    absent: { level: 'ok', found: 'not at work' },
    keeps: { level: 'ok', found: 'leaves routes, rules and links of others alone' },
    removes: {
      level: 'warning',
      found: 'when it starts it removes routes and rules that it did not make: the agent puts them back',
      remedy:
        'write into /etc/systemd/networkd.conf.d/poplin.conf\n  [Network]\n{lines}\nand run\n  systemctl restart systemd-networkd',
    },
    matches: {
      level: 'warning',
      found: '{file} matches links of Poplin ({links}): it takes their addresses away',
      remedy:
        'write into /etc/systemd/network/00-poplin.network\n  [Match]\n  Name={names}\n  [Link]\n  Unmanaged=yes\nand run\n  networkctl reload',
    },
    unsure: {
      ...UNSEEN,
      found: 'a container does not see whether it is at work',
      remedy: 'run it on the host',
    },
  },
  judge: ({ units, networkdLeaves, networkdMatches }, plan) => {
    if (units === undefined) return [['unsure']];
    if (!units.has('systemd-networkd.service')) return [['absent']];
    const missing = NETWORKD_KEYS.filter((key) => !networkdLeaves.includes(key));
    const names = linkNames(plan);
    const matches = networkdMatches.flatMap((match): Told<'matches'>[] => {
      const { file, names: patterns, leaves } = match;
      const links = names.filter(
        (name) =>
          isListed(patterns, name) && networkdMatches.find((each) => isListed(each.names, name)) === match,
      );
      if (links.length === 0 || leaves) return [];
      return [['matches', { file, links: links.join(', '), names: namePatterns(plan, ' ') }]];
    });
    if (missing.length === 0) return matches.length > 0 ? matches : [['keeps']];
    return [['removes', { lines: missing.map((key) => `  ${key}=no`).join('\n') }], ...matches];
  },
});

/** Names of links as Poplin gives them: the backend's, a pod's host end, the bridge. */
const POD_LINKS = ['pop1a2b3c4d5e6', 'veth1a2b3c4d', 'cni0'] as const;
const linkNames = (plan: InstallPlan) => [...plannedLinks(plan).map(({ name }) => name), ...POD_LINKS];
const namePatterns = (plan: InstallPlan, between: string) =>
  [...(plannedLinks(plan).length > 0 ? ['flannel*'] : []), 'pop*', 'veth*', 'cni*'].join(between);

const networkManager = check({
  looks: "whether NetworkManager was told to leave Poplin's links alone",
  outcomes: {
    absent: { level: 'ok', found: 'not at work' },
    keeps: { level: 'ok', found: "leaves Poplin's links alone" },
    manages: {
      level: 'warning',
      found: 'may take over links of Poplin: {links}',
      remedy:
        'write into /etc/NetworkManager/conf.d/poplin.conf\n  [keyfile]\n  unmanaged-devices={patterns}\nand run\n  nmcli general reload',
    },
    unsure: {
      ...UNSEEN,
      found: 'a container does not see whether it is at work',
      remedy: 'run it on the host',
    },
  },
  judge: ({ units, unmanagedLinks }, plan) => {
    if (units === undefined) return [['unsure']];
    if (!units.has('NetworkManager.service')) return [['absent']];
    const managed = linkNames(plan).filter(
      (name) => !unmanagedLinks.some((pattern) => covers(pattern, name)),
    );
    if (managed.length === 0) return [['keeps']];
    const patterns = namePatterns(plan, ' ')
      .split(' ')
      .map((pattern) => `interface-name:${pattern}`)
      .join(';');
    return [['manages', { links: managed.join(', '), patterns }]];
  },
});

const flanneld = check({
  looks: 'whether flanneld runs in this network namespace',
  outcomes: {
    none: { level: 'ok', found: 'does not run' },
    runs: {
      level: 'problem',
      found: 'runs (pid {pids}): two daemons cannot keep one node',
      remedy:
        'take its DaemonSet off this node (docs/migrate-from-flannel.md), or\n  systemctl disable --now flanneld',
    },
    unseen: { ...UNSEEN, remedy: 'run it on the host, as root: sudo poplin install check' },
  },
  judge: ({ flannelProcesses: found }) => {
    if ('unseen' in found) return [['unseen', { why: found.unseen }]];
    return found.value.length === 0 ? [['none']] : [['runs', { pids: found.value.join(', ') }]];
  },
});

const OWNERS: readonly (readonly [RegExp, Remains['of']])[] = [
  [/^FLANNEL-|^ip6? flannel-ipv[46]$/, 'flannel'],
  [/^cali-|^ip6? calico$/, 'Calico'],
  [/^CILIUM_/, 'Cilium'],
  [/^WEAVE/, 'Weave'],
  [/^KUBE-ROUTER/, 'kube-router'],
  [/^ANTREA/, 'Antrea'],
];

const REMEDIES: Readonly<Record<Remains['of'], string>> = {
  flannel:
    'poplin cleanup --flannel-only, once the agent has taken over what it needs (docs/migrate-from-flannel.md)',
  Calico: 'uninstall it, then delete its links and chains, or reboot',
  Cilium: 'uninstall it, then cilium-dbg post-uninstall-cleanup, or reboot',
  Weave: 'uninstall it, then weave reset, or reboot',
  'kube-router': 'uninstall it, then kube-router --cleanup-config, or reboot',
  Antrea: 'uninstall it, then reboot',
};

const remains = check({
  looks: 'links, chains and tables of flannel, Calico, Cilium, Weave, kube-router and Antrea',
  outcomes: {
    none: { level: 'ok', found: 'nothing of another network' },
    left: { level: 'warning', found: '{of} was here: {what}', remedy: '{remedy}' },
    unseen: { ...UNSEEN, found: 'no links of another network; chains and tables not seen: {why}' },
  },
  judge: ({ remains: links, rules }) => {
    const chains = (rules?.names ?? []).flatMap((name): Remains[] => {
      const of = OWNERS.find(([pattern]) => pattern.test(name))?.[1];
      return of === undefined ? [] : [{ of, what: name.includes(' ') ? `table ${name}` : `chain ${name}` }];
    });
    const all = [...links, ...chains];
    const told = [...new Set(all.map(({ of }) => of))].map((of): Told<'left'> => {
      const whats = all.flatMap((each) => (each.of === of ? [each.what] : [])).toSorted();
      const [first = '', second, ...more] = whats;
      const what = [first, ...(second === undefined ? [] : [second])].join(', ');
      return [
        'left',
        { of, what: more.length > 0 ? `${what} and ${more.length} more` : what, remedy: REMEDIES[of] },
      ];
    });
    if (told.length > 0) return told;
    return rules === undefined ? [['unseen', { why: ROOT_ALONE }]] : [['none']];
  },
});

export const SOFTWARE_CHECKS = {
  firewall,
  forward,
  'bridge-nf': bridgeNf,
  networkd,
  networkmanager: networkManager,
  flanneld,
  remains,
} as const;
