/** `poplin flows` as a process on a node whose rules log as the compiler's do, in both families. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ruleTag } from '#core/policy/rule-tag.ts';
import { FAMILIES, FLOW_FAR, FLOW_POD, FlowWorld, send } from './flow-world.ts';

const PORT = 8080;
const MAIN = join(import.meta.dirname, '../../dist/poplin.mjs');

const CLUSTER = `
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: web, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c}]}
status: {phase: Running, podIPs: [{ip: "${FLOW_POD[4]}"}, {ip: "${FLOW_POD[6]}"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{ports: [{port: ${PORT}, protocol: TCP}]}]
---
apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: shut}
spec:
  order: 1
  selector: app == 'web'
  ingress: [{action: Deny, protocol: TCP}]
`;

const WEB = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' } as const;
const ALLOW = ruleTag('ingress', 'allow', { by: 'rule', policy: WEB, path: 'ingress[0]' });
const DENY = ruleTag('ingress', 'deny', { by: 'tier-default', tier: 'default' });

const rules = (allow: string) => `
  table inet flows {
    chain forward {
      type filter hook forward priority 0; policy accept;
      ct state established accept
      oifname "pod0" tcp dport ${PORT} log group 112 prefix "${allow}" accept
      oifname "pod0" log group 112 prefix "${DENY}" drop
    }
  }`;

let world: FlowWorld;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-flows-'));
  writeFileSync(join(folder, 'cluster.yaml'), CLUSTER);
  world = await FlowWorld.open();
  world.nft(rules(ALLOW));
  await world.serve(world.pod, PORT);
});
afterEach(async () => {
  await world?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

class Flows implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  out = '';
  err = '';

  constructor(source: readonly string[], ...words: string[]) {
    this.#child = spawn('nsenter', [
      `--net=${world.node}`,
      process.execPath,
      MAIN,
      ...['flows', ...source, ...words],
    ]);
    this.#child.stdout.on('data', (text) => (this.out += String(text)));
    this.#child.stderr.on('data', (text) => (this.err += String(text)));
  }

  /** With what the folder says of the cluster. */
  static async listening(...words: string[]): Promise<Flows> {
    const flows = new Flows(['--from', folder], ...words);
    await flows.listening();
    return flows;
  }

  async listening(): Promise<void> {
    await vi.waitUntil(() => this.err.includes('listening') || this.#child.exitCode !== null, {
      timeout: 20_000,
    });
    expect(this.err).toContain('listening; Ctrl-C ends');
  }

  get lines(): Record<string, unknown>[] {
    return this.out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  /** The exit status. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

/** The embedded one, on the node. */
class ApiServer implements AsyncDisposable {
  readonly kubeconfig = join(folder, 'kubeconfig');
  readonly #child: ChildProcessWithoutNullStreams;

  private constructor() {
    this.#child = spawn('nsenter', [
      `--net=${world.node}`,
      process.execPath,
      MAIN,
      ...['apiserver', '--listen', '127.0.0.1:6443', '--log-level', 'silent'],
      ...['--db', join(folder, 'api.db'), '--write-kubeconfig', this.kubeconfig],
    ]);
  }

  static async start(): Promise<ApiServer> {
    const server = new ApiServer();
    let out = '';
    server.#child.stdout.on('data', (text) => (out += String(text)));
    await vi.waitUntil(() => out.includes('serving') || server.#child.exitCode !== null, {
      timeout: 20_000,
    });
    return server;
  }

  tell(method: 'POST' | 'PATCH', path: string, object: object): void {
    const script = `
      const [, method, path, body] = process.argv;
      const headers = { 'content-type': 'application/' + (method === 'POST' ? 'json' : 'merge-patch+json') };
      const answer = await fetch('http://127.0.0.1:6443' + path, { method, headers, body });
      if (!answer.ok) throw new Error(await answer.text());`;
    execFileSync('nsenter', [
      `--net=${world.node}`,
      process.execPath,
      ...['--input-type=module', '-e', script, method, path, JSON.stringify(object)],
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

test.each(FAMILIES)(
  'over IPv%i each flow is an object on a line, with names, verdict and policy',
  async (family) => {
    await using flows = await Flows.listening('--json', '--count', '3');
    const [from, to] = [FLOW_FAR[family], FLOW_POD[family]];
    send(world.far, 'tcp', to, PORT);
    send(world.far, 'udp', to, 53);
    send(world.far, 'ping', to, 0);
    expect(await flows.end()).toBe(0);
    const shared = {
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      event: 'verdict',
      direction: 'ingress',
      count: 1,
    };
    const pod = { address: to, pod: 'shop/web' };
    const port = expect.any(Number) as number;
    const noRule = { reason: 'tier-default', tier: 'default', policies: ['NetworkPolicy shop/web'] };
    expect(flows.lines).toEqual([
      {
        ...shared,
        source: { address: from, port },
        destination: { ...pod, port: PORT },
        protocol: 'tcp',
        verdict: 'allow',
        reason: 'rule',
        tier: 'default',
        policy: 'NetworkPolicy shop/web',
        rule: 'ingress[0]',
        staged: {
          verdict: 'deny',
          reason: 'rule',
          tier: 'default',
          policy: 'StagedGlobalNetworkPolicy shut',
          rule: expect.any(String),
        },
      },
      {
        ...shared,
        source: { address: from, port },
        destination: { ...pod, port: 53 },
        protocol: 'udp',
        verdict: 'deny',
        ...noRule,
        staged: { verdict: 'deny', reason: 'tier-default', tier: 'default', policies: expect.any(Array) },
      },
      {
        ...shared,
        source: { address: from },
        destination: pod,
        protocol: family === 4 ? 'icmp' : 'icmpv6',
        icmp: { type: family === 4 ? 8 : 128, code: 0 },
        verdict: 'deny',
        ...noRule,
        staged: { verdict: 'deny', reason: 'tier-default', tier: 'default', policies: expect.any(Array) },
      },
    ]);
    expect(flows.err).toMatch(/3 lines in \d+\.\d s, 1 packets allowed, 2 denied, 0 lost\n$/);
  },
);

test('a table has what was asked for, and a sum when it is interrupted', async () => {
  await using flows = await Flows.listening('--verdict', 'deny', '--pod', 'web', '--protocol', 'icmp');
  send(world.far, 'tcp', FLOW_POD[4], PORT);
  for (const family of [...FAMILIES, ...FAMILIES]) send(world.far, 'ping', FLOW_POD[family], 0);
  await vi.waitUntil(() => flows.out.split('\n').length > 3, { timeout: 5000 });
  flows.interrupt();
  expect(await flows.end()).toBe(0);
  const [header, ...rows] = flows.out.trimEnd().split('\n');
  expect(header).toMatch(/^TIME +VERDICT +POLICY OF +SOURCE +DESTINATION +BY$/);
  const row = (source: string, target: string) =>
    expect.stringMatching(
      new RegExp(
        `^[0-9:.]{12}  deny     destination  ${source} +shop/web ${target} +tier default: no rule of NetworkPolicy shop/web matched$`,
      ),
    );
  expect(rows).toEqual([
    row(FLOW_FAR[4], `icmp 8/0 \\(${FLOW_POD[4]}\\)`),
    row(FLOW_FAR[6], `icmpv6 128/0 \\(${FLOW_POD[6]}\\)`),
    // The second ping of each is no line at once; what was held back comes at the end.
    row(FLOW_FAR[4], `icmp 8/0 \\(${FLOW_POD[4]}\\)`),
    row(FLOW_FAR[6], `icmpv6 128/0 \\(${FLOW_POD[6]}\\)`),
  ]);
  expect(flows.err).toMatch(/4 lines in \d+\.\d s, 1 packets allowed, 4 denied, 0 lost\n$/);
});

test('flows that end are told of with packets and bytes, and what the kernel does not count is said', async () => {
  {
    await using flows = await Flows.listening('--ended', '--json', '--for', '0.1');
    expect(await flows.end()).toBe(0);
    expect(flows.err).toContain(
      'packets and bytes are not counted: sysctl net.netfilter.nf_conntrack_acct=1\n',
    );
  }
  world.sh(world.node, 'sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1');
  await using flows = await Flows.listening('--ended', '--json', '--port', String(PORT));
  for (const family of FAMILIES) send(world.far, 'tcp', FLOW_POD[family], PORT);
  world.sh(world.node, 'conntrack -F 2>/dev/null');
  await vi.waitUntil(() => flows.lines.length >= 4, { timeout: 5000 });
  flows.interrupt();
  expect(await flows.end()).toBe(0);
  const ended = flows.lines.filter(({ event }) => event === 'ended');
  const number = expect.any(Number) as number;
  const line = (family: 4 | 6) => ({
    time: expect.any(String) as string,
    event: 'ended',
    source: { address: FLOW_FAR[family], port: number },
    destination: { address: FLOW_POD[family], pod: 'shop/web', port: PORT },
    protocol: 'tcp',
    packets: number,
    bytes: number,
    durationMs: number,
  });
  expect(ended).toHaveLength(2);
  expect(ended).toEqual(expect.arrayContaining([line(4), line(6)]));
});

test('what the API server is told later is known at once, policies and pods', async () => {
  await using api = await ApiServer.start();
  const later = { ...WEB, name: 'later' };
  const tag = ruleTag('ingress', 'allow', { by: 'rule', policy: later, path: 'ingress[0].from[0]' });
  world.nft(`delete table inet flows; ${rules(tag)}`);
  await using flows = new Flows(['--kubeconfig', api.kubeconfig], '--json');
  await flows.listening();
  send(world.far, 'tcp', FLOW_POD[6], PORT);
  await vi.waitUntil(() => flows.lines.length === 1, { timeout: 5000 });
  expect(flows.lines[0]).toMatchObject({
    verdict: 'allow',
    reason: 'unknown',
    digest: tag.slice(-16),
    destination: { address: FLOW_POD[6] },
  });
  api.tell('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  api.tell('POST', '/api/v1/namespaces/shop/pods', {
    metadata: { name: 'web' },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'c' }] },
  });
  api.tell('PATCH', '/api/v1/namespaces/shop/pods/web/status', {
    status: { phase: 'Running', podIPs: Object.values(FLOW_POD).map((ip) => ({ ip })) },
  });
  api.tell('POST', '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies', {
    metadata: { name: 'later' },
    spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
  });
  // Another family, for the same flow again would wait for its turn.
  send(world.far, 'tcp', FLOW_POD[4], PORT);
  await vi.waitUntil(() => flows.lines.length === 2, { timeout: 5000 });
  expect(flows.lines[1]).toMatchObject({
    destination: { address: FLOW_POD[4], pod: 'shop/web' },
    policy: 'NetworkPolicy shop/later',
    rule: 'ingress[0].from[0]',
  });
  flows.interrupt();
  expect(await flows.end()).toBe(0);
});

test('a server that cannot be asked is named', async () => {
  writeFileSync(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }],
      users: [{ name: 'u', user: {} }],
    }),
  );
  await using flows = new Flows(['--kubeconfig', join(folder, 'kubeconfig')]);
  expect(await flows.end()).toBe(2);
  expect(flows.err).toMatch(/^poplin flows: 127\.0\.0\.1:1: [a-z]+: .*ECONNREFUSED.*\n$/);
});

test('a second listener is told so, and bad words are named', async () => {
  await using first = await Flows.listening();
  await using second = new Flows(['--from', folder]);
  expect(await second.end()).toBe(2);
  expect(second.err).toBe(
    'poplin flows: packet log, group 112: operation not permitted (EPERM): another process listens to it, or CAP_NET_ADMIN is missing\n',
  );
  expect(second.out).toBe('');
  for (const [words, message] of [
    [['--port', '0'], `"0" is not a port`],
    [['--protocol', 'tpc'], `"tpc" is not a protocol: tcp, udp, sctp, udplite, icmp, icmpv6 or a number`],
    [['--for', '-1'], `"-1" is no number of seconds above 0`],
    [['--verdict', 'maybe'], 'Allowed choices are allow, deny.'],
  ] as const) {
    await using flows = new Flows(['--from', folder], ...words);
    expect(await flows.end()).toBe(1);
    expect(flows.err).toContain(message);
  }
  first.interrupt();
  expect(await first.end()).toBe(0);
});
