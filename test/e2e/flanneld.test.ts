/** An agent under flannel's command line, on a host of its own: what the flags ask for is there, is told of, and stays when it stops. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Station } from './agent-station.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';
import { Etcd } from './station-etcd.ts';

const NET_CONF = JSON.stringify({
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd44::/48',
  Backend: { Type: 'vxlan' },
});
/** The files of the machine are not this host's. */
const OWN_FILES = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && exec "$@"';

const ASK = `
fetch(process.argv[1]).then(async (answer) =>
  process.stdout.write(JSON.stringify({ status: answer.status, text: await answer.text() })));`;

class Flanneld implements AsyncDisposable {
  private readonly station: Station;
  private readonly child: ChildProcess;
  private log = '';

  constructor(
    station: Station,
    node: string,
    flags: readonly string[],
    env: Readonly<Record<string, string>>,
    beside?: Flanneld,
  ) {
    const { NODE_EXTRA_CA_CERTS: _slow, ...own } = process.env;
    const command = [process.execPath, PROGRAM, 'flanneld', ...flags];
    const place =
      beside === undefined
        ? [`--net=${station.file(`host-${node}`)}`, 'unshare', '--mount', 'sh', '-c', OWN_FILES, 'sh']
        : ['--net', '--mount', `--target=${beside.child.pid}`];
    this.station = station;
    this.child = spawn('nsenter', [...place, ...command], {
      env: { ...own, ...env, NODE_NAME: node },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
  }

  /** A line of the log. */
  says(text: string): Promise<string> {
    return until(`flanneld says ${text}`, () => this.log.split('\n').find((line) => line.includes(text)));
  }

  /** A file as it sees it; undefined if there is none. */
  file(path: string): string | undefined {
    const place = `/proc/${this.child.pid}/root${path}`;
    return existsSync(place) ? readFileSync(place, 'utf8') : undefined;
  }

  /** What `poplin status` prints of it. */
  status(): string {
    return this.poplin('status');
  }

  /** What `poplin` prints among its files. */
  poplin(...words: string[]): string {
    const into = ['--mount', '--net', `--target=${this.child.pid}`, process.execPath, PROGRAM, ...words];
    return execFileSync('nsenter', into, { encoding: 'utf8' });
  }

  /** The exit status of one that ends by itself. */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }

  /** The answer of its health server: status and text; undefined if there is none. */
  get(path: string): { status: number; text: string } | undefined {
    try {
      const netns = this.station.file('host-n1');
      const answer = inNetns(netns, process.execPath, '-e', ASK, `http://127.0.0.1:8081${path}`);
      return JSON.parse(answer) as { status: number; text: string };
    } catch {
      return undefined;
    }
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

test('flags are carried out: rules, files, health, metrics, and the choice of the link', async () => {
  await using station = await Station.open(NET_CONF);
  station.addHost('n1', 11);
  station.sh('n1', 'iptables -P FORWARD DROP; ip6tables -P FORWARD DROP');
  station.api('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { podCIDR: '10.244.7.0/24', podCIDRs: ['10.244.7.0/24', 'fd44:0:0:7::/64'] },
  });
  await station.stop('apiserver');
  const flags = [
    ...['-kube-subnet-mgr', `-kubeconfig-file=${station.file('kubeconfig')}`],
    ...['-net-config-path', station.file('net-conf.json')],
    ...['--ip-masq', '-ip-blackhole-route=true', '-subnet-file', '/run/other/subnet.env'],
    ...['-iface-regex', '^10\\.', '-iface-regex', '^192\\.168\\.60\\.', '-healthz-ip=127.0.0.1'],
  ];
  await using flanneld = new Flanneld(station, 'n1', flags, { FLANNELD_HEALTHZ_PORT: '8081' });
  expect(await until('health', () => flanneld.get('/healthz'))).toMatchObject({ status: 200 });
  expect(flanneld.get('/readyz')).toEqual({
    status: 503,
    text: 'not ready: no lease is held and in place\n',
  });
  expect(flanneld.get('/metrics')?.text).toMatch(/^poplin_ready 0$/m);
  await station.startStore();
  await until('ready', () => flanneld.get('/readyz')?.status === 200);

  expect(await flanneld.says('"underlay"')).toContain('^192\\\\.168\\\\.60\\\\. matches 192.168.60.11');
  const env = flanneld.file('/run/other/subnet.env');
  expect(env).toMatch(/^FLANNEL_IPMASQ=true$/m);
  expect(flanneld.file('/run/flannel/subnet.env')).toBeUndefined();
  const subnet = /^FLANNEL_SUBNET=(10\.244\.\d+)\.1\/24$/m.exec(env ?? '')?.[1];
  const metrics = flanneld.get('/metrics')?.text ?? '';
  expect(metrics).toMatch(/^poplin_ready 1$/m);
  expect(metrics).toMatch(/^poplin_store_connected 1$/m);
  expect(metrics).toMatch(/^poplin_backend_info\{type="vxlan",link="eth0",mtu="1430"\} 1$/m);
  // A pod cidr does not expire.
  expect(metrics).toContain(
    'poplin_lease_expiry_timestamp_seconds{family="ipv4",subnet="10.244.7.0/24"} +Inf',
  );
  const { metadata, status } = station.api('GET', '/api/v1/nodes/n1') as {
    metadata: { annotations: Record<string, string> };
    status: { conditions: object[] };
  };
  expect(metadata.annotations).toMatchObject({
    'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
    'flannel.alpha.coreos.com/backend-type': 'vxlan',
    'flannel.alpha.coreos.com/public-ip': '192.168.60.11',
    'flannel.alpha.coreos.com/public-ipv6': 'fd60::11',
  });
  await until('the condition', () => {
    const now = station.api('GET', '/api/v1/nodes/n1') as { status: { conditions?: object[] } };
    return JSON.stringify(now.status.conditions ?? []).includes('FlannelIsUp');
  });
  expect(status).toBeDefined();

  const rules = () => station.sh('n1', 'nft list table inet poplin-network; iptables -S; ip6tables -S');
  const made = rules();
  expect(made).toContain(`ip saddr ${subnet}.0/24 ip daddr 10.244.0.0/16 return`);
  expect(made).toContain('oifname "flannel-v6.1" return');
  expect(made.match(/POPLIN-FWD -[sd] \S+ .*-j ACCEPT/g)).toHaveLength(4);
  expect(station.sh('n1', 'ip route show type blackhole')).toContain(`blackhole ${subnet}.0/24`);
  station.sh('n1', 'nft flush ruleset');
  await until('rules are back', () => {
    try {
      return rules().includes('masquerade fully-random');
    } catch {
      return false;
    }
  });
  expect(flanneld.status()).toMatch(
    /^underlay eth0 192\.168\.60\.11 fd60::11: --iface-regex \^192.* matches 192\.168\.60\.11$/m,
  );
  expect(await flanneld.stop()).toBe(0);
  expect(station.sh('n1', 'nft list table inet poplin-network')).toContain('masquerade fully-random');
});

test('leases are taken in etcd as flannel has them, and kept when it stops', async () => {
  await using station = await Station.open(NET_CONF);
  station.addHost('n1', 11);
  await using etcd = await Etcd.start(station);
  const flags = [
    `-etcd-endpoints=${Etcd.URL}`,
    ...['-etcd-prefix', '/other/network', '-healthz-port=8081', '-subnet-lease-renew-margin', '30'],
  ];
  await using flanneld = new Flanneld(station, 'n1', flags, {});
  await until('health', () => flanneld.get('/healthz'));
  expect(flanneld.get('/readyz')?.status).toBe(503);
  etcd.ctl('put', '/other/network/config', NET_CONF);
  await until('ready', () => flanneld.get('/readyz')?.status === 200);
  const subnet = /^FLANNEL_SUBNET=(\S+)\.1\/24$/m.exec(flanneld.file('/run/flannel/subnet.env') ?? '')?.[1];
  const [key = '', value = ''] = etcd.ctl('get', '--prefix', '/other/network/subnets/').trim().split('\n');
  expect(key).toMatch(new RegExp(`^/other/network/subnets/${subnet}\\.0-24&fd44:`));
  expect(JSON.parse(value)).toMatchObject({ PublicIP: '192.168.60.11', BackendType: 'vxlan' });
  expect(flanneld.get('/metrics')?.text).toMatch(/^poplin_store_connected 1$/m);
  expect(await flanneld.stop()).toBe(0);
  expect(etcd.ctl('get', '--prefix', '/other/network/subnets/').trim()).toBe(`${key}\n${value}`);
});

test('several on one host are told apart by their subnet files, and one that wants what another has is refused', async () => {
  await using station = await Station.open(NET_CONF);
  station.addHost('n1', 11);
  await using etcd = await Etcd.start(station);
  const put = (prefix: string, which: string, backend: object) =>
    etcd.ctl(
      'put',
      `${prefix}/config`,
      JSON.stringify({
        Network: `10.${which}.0.0/16`,
        EnableIPv6: true,
        IPv6Network: `fd${which}::/48`,
        Backend: backend,
      }),
    );
  put('/coreos.com/network', '44', { Type: 'vxlan' });
  put('/second', '45', { Type: 'vxlan', VNI: 2 });
  put('/third', '46', { Type: 'vxlan', VNI: 2 });
  const flags = (name: string) => [
    ...[`-etcd-endpoints=${Etcd.URL}`, `-etcd-prefix=/${name}`],
    ...[`-subnet-file=/run/flannel/${name}.env`, '-ip-masq'],
  ];
  await using first = new Flanneld(station, 'n1', [`-etcd-endpoints=${Etcd.URL}`, '-ip-masq'], {});
  await until('the first is ready', () => first.file('/run/flannel/subnet.env'));
  await using second = new Flanneld(station, 'n1', flags('second'), {}, first);
  await until('the second is ready', () => first.file('/run/flannel/second.env'));
  expect(first.file('/run/flannel/second.env')).toMatch(/^FLANNEL_SUBNET=10\.45\./m);
  expect(first.file('/run/flannel/subnet.env')).toMatch(/^FLANNEL_SUBNET=10\.44\./m);
  expect(first.status()).not.toMatch(/^(network|policy|problem)/m);
  expect(first.poplin('status', '--network', 'second')).toMatch(/^network +second\nready +yes$/m);
  const made = station.sh('n1', 'nft list tables; ip -d link; ip rule; ip -6 rule');
  for (const each of ['poplin-network-1', 'poplin:overlay-1', 'flannel-v6.2', 'lookup 1121', 'lookup 112 '])
    expect(made).toContain(each);

  await using third = new Flanneld(station, 'n1', flags('third'), {}, first);
  expect(await third.ended()).toBe(1);
  expect(
    await third.says("network third: VNI 2 (device flannel.2) is network second's on this host"),
  ).toContain('poplin cleanup --network second');
  await using again = new Flanneld(station, 'n1', flags('second'), {}, first);
  expect(await again.ended()).toBe(1);
  await again.says('another poplin agent runs in this network namespace for network second');

  expect(await second.stop()).toBe(0);
  const rows = JSON.parse(first.poplin('cleanup', '--network', 'second', '--json')) as { done: string }[];
  expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
  expect(station.sh('n1', 'nft list tables; ip -d link')).not.toMatch(/-1$|overlay-1|flannel\S*\.2/m);
  expect(first.status()).toMatch(/^ready +yes$/m);
});
