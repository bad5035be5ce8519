/**
 * Pods that Debian's reference plugins attached, with rules in iptables: CHECKed, DELeted and collected by Poplin's, dual stack. What stays
 * is what the reference plugins leave too: the chains that all pods share, CNI-HOSTPORT-DNAT, -SETMARK, -MASQ, CNI-FORWARD and CNI-ADMIN.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniWorld } from './cni-world.ts';

const FOLDER = '/usr/lib/cni';
const NAME = 'crossed';

type Json = Readonly<Record<string, unknown>>;

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

/** The chain for one pod, which gets port 8080 + number of the host. */
function chain(number: number): Json[] {
  const ranges = [[{ subnet: '10.72.0.0/24' }], [{ subnet: 'fd72::/64' }]];
  const dataDir = join(world.folder, 'reference');
  mkdirSync(dataDir, { recursive: true });
  const ipam = { type: 'host-local', ranges, dataDir };
  const portMappings = ['tcp', 'udp'].map((protocol) => {
    return { hostPort: 8080 + number, containerPort: 80, protocol };
  });
  return [
    { type: 'bridge', bridge: 'crossed0', isGateway: true, ipMasq: true, ipam },
    { type: 'portmap', snat: true, runtimeConfig: { portMappings } },
    { type: 'firewall' },
  ].map((plugin) => ({ cniVersion: '1.0.0', name: NAME, ...plugin }));
}

/** Runs Debian's plugin in the host. */
function reference(command: string, pod: string, config: Json, wanted = 0): Json | undefined {
  const { status, stdout } = spawnSync(
    'nsenter',
    [`--net=${world.host}`, '--', join(FOLDER, String(config['type']))],
    {
      input: JSON.stringify(config),
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        CNI_PATH: FOLDER,
        CNI_COMMAND: command,
        CNI_CONTAINERID: `container-${pod}`,
        CNI_NETNS: world.pod(pod),
        CNI_IFNAME: 'eth0',
      },
    },
  );
  expect(status, stdout).toBe(wanted);
  return stdout.trim() === '' ? undefined : (JSON.parse(stdout) as Json);
}

function addByReference(pod: string, number: number): Json {
  let prevResult: Json | undefined;
  for (const plugin of chain(number)) prevResult = reference('ADD', pod, { ...plugin, prevResult });
  return prevResult as Json;
}

/** Calls each plugin of ours; returns what failed. */
async function ours(command: string, pod: string, number: number, prevResult: Json): Promise<string[]> {
  const plugins = command === 'DEL' ? chain(number).reverse() : chain(number);
  const failures: string[] = [];
  for (const plugin of plugins) {
    const answer = await world.call(String(plugin['type']), command, pod, {
      ...plugin,
      prevResult,
      cniVersion: '1.0.0',
    });
    if (answer.exitStatus !== 0) failures.push(String(answer.json?.['details']));
  }
  return failures;
}

/** All rules, without counters and times. */
function saved(): string {
  const text = world.sh('iptables-save; ip6tables-save');
  return text.replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '');
}

test('goes with all its rules, and without those of a second pod', async () => {
  addByReference('stays', 0);
  const before = saved();
  const result = addByReference('goes', 1);
  expect(saved()).not.toBe(before);
  expect(await ours('CHECK', 'goes', 1, result)).toEqual([]);
  expect(await ours('DEL', 'goes', 1, result)).toEqual([]);
  expect(saved()).toBe(before);
  // The firewall's chain is shared by all pods: that one alone has to be listed.
  world.programsRun.length = 0;
  expect(await ours('DEL', 'goes', 1, result), 'once more').toEqual([]);
  expect(world.programsRun.toSorted()).toEqual(['ip6tables', 'iptables']);
  expect(saved()).toBe(before);
});

test('a DEL of what nobody attached runs no program', async () => {
  const result = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth0', sandbox: world.pod('a') }],
    ips: [
      { address: '10.72.0.2/24', interface: 0 },
      { address: 'fd72::2/64', interface: 0 },
    ],
  };
  world.sh(
    'iptables -w -t nat -N CNI-OTHERS; ip6tables -w -t nat -N CNI-OTHERS; nft add table ip cni_hostports',
  );
  expect(await ours('DEL', 'a', 1, result)).toEqual([]);
  expect(world.programsRun).toEqual([]);
});

test('CHECK names each rule that is missing', async () => {
  const result = addByReference('a', 1);
  world.sh('iptables -t nat -F CNI-HOSTPORT-DNAT; ip6tables -D CNI-FORWARD -s fd72::2 -j ACCEPT');
  const failures = await ours('CHECK', 'a', 1, result);
  expect(failures).toHaveLength(2);
  expect(failures[0]).toMatch(
    /iptables, table nat: no rule of CNI-HOSTPORT-DNAT leads tcp port 8081 to CNI-DN-/,
  );
  expect(failures[1]).toContain(
    'ip6tables, table filter: no rule of CNI-FORWARD accepts what comes from fd72::2',
  );
  world.sh('iptables -t nat -F POSTROUTING');
  expect((await ours('CHECK', 'a', 1, result))[0]).toMatch(
    /iptables, table nat: no rule of POSTROUTING leads 10\.72\.0\.2 to CNI-[0-9a-f]{24}/,
  );
});

test('GC collects what is not valid of the network', async () => {
  addByReference('stays', 0);
  const before = saved();
  addByReference('stale', 1);
  const valid = [{ containerID: 'container-stays', ifname: 'eth0' }];
  for (const plugin of chain(0)) {
    const config = { ...plugin, cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid };
    const { exitStatus, json } = await world.call(String(plugin['type']), 'GC', 'stays', config);
    expect(exitStatus, JSON.stringify(json)).toBe(0);
  }
  // The firewall's rules tell nothing of their container.
  const left = saved();
  expect(left.split('\n').filter((line) => !before.includes(line))).toEqual([
    expect.stringContaining('-A CNI-FORWARD -d 10.72.0.3/32'),
    expect.stringContaining('-A CNI-FORWARD -s 10.72.0.3/32'),
    expect.stringContaining('-A CNI-FORWARD -d fd72::3/128'),
    expect.stringContaining('-A CNI-FORWARD -s fd72::3/128'),
  ]);
});

test('a pod of ours leaves nothing once the reference plugins took its link', async () => {
  world.pod('a');
  const before = world.sh('nft list ruleset');
  let prevResult: Json | undefined;
  for (const plugin of chain(1)) {
    const { exitStatus, json } = await world.call(String(plugin['type']), 'ADD', 'a', {
      ...plugin,
      prevResult,
    });
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    prevResult = json;
  }
  // Release 1.1.1 takes the link, and then complains of rules that it did not make.
  for (const plugin of chain(1).reverse())
    reference('DEL', 'a', { ...plugin, prevResult }, plugin['type'] === 'bridge' ? 1 : 0);
  const left = () =>
    world
      .sh('nft list ruleset')
      .replaceAll(/table ip6? (nat|filter) \{[^}]*?(chain \S+ \{[^}]*\}\s*)*\}\n*/g, '')
      .trim();
  await expect.poll(left, { timeout: 5000, interval: 20 }).toBe(before.trim());
});

test('rules of the newest releases, in nf_tables, are checked and go as well', async () => {
  const digest = (text: string) => createHash('sha512').update(text).digest('hex').slice(0, 16);
  const mark = (pod: string) =>
    `${digest(NAME)}-${digest(`eth0:container-${pod}`)}, net: ${NAME}, if: eth0, id: container-${pod}`;
  const rulesOf = (pod: string, number: number, host: number) =>
    (['ip', 'ip6'] as const)
      .map((family) => {
        const address = family === 'ip' ? `10.72.0.${host}` : `fd72::${host}`;
        const [network, to] = family === 'ip' ? ['10.72.0.0/24', address] : ['fd72::/64', `[${address}]`];
        const dnat = (protocol: string) =>
          `add rule ${family} cni_hostport hostports ${protocol} dport ${8080 + number} dnat to ${to}:80 comment "container-${pod}"`;
        return `${dnat('tcp')}
          ${dnat('udp')}
          add rule ${family} cni_hostport masquerading ${family} saddr ${address} ${family} daddr ${address} masquerade comment "container-${pod}"
          add rule inet cni_plugins_masquerade masq_checks ${family} saddr ${address} ${family} daddr != ${network} masquerade comment "${mark(pod)}"`;
      })
      .join('\n');
  const nft = (text: string) => world.sh(`nft -f - <<'END'\n${text}\nEND`);
  nft(`add table ip cni_hostport
    add chain ip cni_hostport hostports
    add chain ip cni_hostport masquerading { type nat hook postrouting priority 100; }
    add table ip6 cni_hostport
    add chain ip6 cni_hostport hostports
    add chain ip6 cni_hostport masquerading { type nat hook postrouting priority 100; }
    add table inet cni_plugins_masquerade
    add chain inet cni_plugins_masquerade masq_checks
    ${rulesOf('stays', 0, 2)}`);
  const before = world.sh('nft list ruleset');
  nft(rulesOf('goes', 1, 3));
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth0', sandbox: world.pod('goes') }],
    ips: [
      { address: '10.72.0.3/24', interface: 0 },
      { address: 'fd72::3/64', interface: 0 },
    ],
  };
  world.inPod(
    'goes',
    `ip link add eth0 type bridge; ip link set eth0 up; ip address add 10.72.0.3/24 dev eth0
     ip address add fd72::3/64 dev eth0 nodad`,
  );
  const [bridge, portmap] = chain(1) as [Json, Json];
  const call = async (plugin: Json, command: string) => {
    return world.call(String(plugin['type']), command, 'goes', { ...plugin, prevResult });
  };
  expect(await call(portmap, 'CHECK')).toMatchObject({ exitStatus: 0 });
  expect(await call(portmap, 'DEL')).toMatchObject({ exitStatus: 0 });
  expect((await call(portmap, 'CHECK')).json).toMatchObject({ code: 114 });
  expect(await call(bridge, 'DEL')).toMatchObject({ exitStatus: 0 });
  expect(world.sh('nft list ruleset')).toBe(before);
});
