/** `poplin policy flows` as a process on a node whose rules log as the compiler's do, in both families. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ruleTag } from '#core/policy/rule-tag.ts';
import { FAMILIES, FLOW_FAR, FLOW_POD, FlowWorld, send } from './flow-world.ts';

const PORT = 8080;
const MAIN = join(import.meta.dirname, '../../src/app/cli/main.ts');

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

  constructor(...words: string[]) {
    const own = ['policy', 'flows', '--from', folder, ...words];
    this.#child = spawn('nsenter', [`--net=${world.node}`, process.execPath, MAIN, ...own]);
    this.#child.stdout.on('data', (text) => (this.out += String(text)));
    this.#child.stderr.on('data', (text) => (this.err += String(text)));
  }

  async listening(): Promise<this> {
    await vi.waitUntil(() => this.err.includes('listening') || this.#child.exitCode !== null, {
      timeout: 20_000,
    });
    expect(this.err).toContain('listening; Ctrl-C ends');
    return this;
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

test.each(FAMILIES)(
  'over IPv%i each flow is an object on a line, with names, verdict and policy',
  async (family) => {
    await using flows = await new Flows('--json', '--count', '3').listening();
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
  await using flows = await new Flows('--verdict', 'deny', '--pod', 'web', '--protocol', 'icmp').listening();
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
    await using flows = await new Flows('--ended', '--json', '--for', '0.1').listening();
    expect(await flows.end()).toBe(0);
    expect(flows.err).toContain(
      'packets and bytes are not counted: sysctl net.netfilter.nf_conntrack_acct=1\n',
    );
  }
  world.sh(world.node, 'sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1');
  await using flows = await new Flows('--ended', '--json', '--port', String(PORT)).listening();
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

test('a policy that came after the start is known soon after', async () => {
  const later = { ...WEB, name: 'later' };
  world.nft(
    `delete table inet flows; ${rules(ruleTag('ingress', 'allow', { by: 'rule', policy: later, path: 'ingress[0]' }))}`,
  );
  await using flows = await new Flows('--json').listening();
  send(world.far, 'tcp', FLOW_POD[6], PORT);
  await vi.waitUntil(() => flows.lines.length > 0, { timeout: 5000 });
  expect(flows.lines[0]).toMatchObject({ verdict: 'allow', reason: 'unknown' });
  writeFileSync(
    join(folder, 'later.yaml'),
    `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: later}
spec: {podSelector: {}, ingress: [{}]}
`,
  );
  await vi.waitUntil(
    () => {
      send(world.far, 'tcp', FLOW_POD[6], PORT);
      return flows.lines.some(({ policy }) => policy === 'NetworkPolicy shop/later');
    },
    { timeout: 20_000, interval: 500 },
  );
});

test('a second listener is told so, and bad words are named', async () => {
  await using first = await new Flows().listening();
  await using second = new Flows();
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
    await using flows = new Flows(...words);
    expect(await flows.end()).toBe(1);
    expect(flows.err).toContain(message);
  }
  first.interrupt();
  expect(await first.end()).toBe(0);
});
