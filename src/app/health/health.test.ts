import { once } from 'node:events';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { PluginAnswer } from '#io/cni/server/index.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { type AgentFigures, agentMetrics } from './metrics.ts';
import { METRICS } from './metrics-table.ts';
import { serveHealth } from './serve.ts';

const FIGURES: AgentFigures = {
  ready: true,
  problems: 2,
  storeConnected: false,
  leases: [
    { family: 4, subnet: '10.244.1.0/24', expiresAtMs: 1_800_000_000_000 },
    { family: 6, subnet: 'fd44:0:0:1::/64', expiresAtMs: Number.POSITIVE_INFINITY },
  ],
  remoteLeases: 41,
  refusedLeases: 1,
  backend: { type: 'vxlan', link: 'eth1', mtuBytes: 1430 },
  attachments: 7,
  bgp: [
    {
      key: 'BGPPeer tor 10.0.0.1',
      isUp: true,
      phase: 'established',
      flaps: 2,
      messages: { in: { update: 12 }, out: { keepalive: 4 } },
      families: [{ family: 4, learned: 9, refused: 1, told: 3 }],
    },
  ],
  kernel: { ops: 120, passes: 9, failures: ['a'], conflicts: [], lastPassMs: 12 },
};

function setUp(first = FIGURES) {
  let figures = first;
  let nowMs = 1000;
  const metrics = agentMetrics({ version: '1.2.3', now: () => nowMs, figures: () => figures });
  return {
    metrics,
    set: (next: AgentFigures) => {
      figures = next;
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    lines: async () => (await metrics.read()).text.split('\n').filter((line) => line.startsWith('poplin_')),
  };
}

const call = (command: string) => ({ plugin: 'bridge', environment: { CNI_COMMAND: command }, stdin: '' });

describe('the metrics of an agent', () => {
  test('are what it knows of itself at that moment', async () => {
    const { lines, set } = setUp();
    const first = await lines();
    expect(first.filter((line) => !line.includes('build_info'))).toEqual([
      'poplin_ready 1',
      'poplin_problems 2',
      'poplin_store_connected 0',
      'poplin_lease_expiry_timestamp_seconds{family="ipv4",subnet="10.244.1.0/24"} 1800000000',
      'poplin_lease_expiry_timestamp_seconds{family="ipv6",subnet="fd44:0:0:1::/64"} +Inf',
      'poplin_leases 41',
      'poplin_leases_refused 1',
      'poplin_backend_info{type="vxlan",link="eth1",mtu="1430"} 1',
      'poplin_attachments 7',
      'poplin_bgp_session_up{peer="BGPPeer tor 10.0.0.1"} 1',
      'poplin_bgp_session_state{peer="BGPPeer tor 10.0.0.1",state="established"} 1',
      'poplin_bgp_session_losses_total{peer="BGPPeer tor 10.0.0.1"} 2',
      'poplin_bgp_routes{peer="BGPPeer tor 10.0.0.1",family="ipv4",what="learned"} 9',
      'poplin_bgp_routes{peer="BGPPeer tor 10.0.0.1",family="ipv4",what="refused"} 1',
      'poplin_bgp_routes{peer="BGPPeer tor 10.0.0.1",family="ipv4",what="told"} 3',
      'poplin_bgp_messages_total{peer="BGPPeer tor 10.0.0.1",direction="in",type="update"} 12',
      'poplin_bgp_messages_total{peer="BGPPeer tor 10.0.0.1",direction="out",type="keepalive"} 4',
      'poplin_kernel_operations_total 120',
      'poplin_kernel_passes_total 9',
      'poplin_kernel_failures 1',
      'poplin_kernel_conflicts 0',
      'poplin_kernel_last_pass_duration_seconds 0.012',
    ]);
    expect(first[0]).toMatch(/^poplin_build_info\{version="1\.2\.3",node_version="2\d\.[\d.]+"\} 1$/);
    const { storeConnected: _, backend: __, ...alone } = FIGURES;
    set({ ...alone, leases: [], kernel: { ...FIGURES.kernel, ops: 121, lastPassMs: undefined } });
    const second = await lines();
    expect(second).toContain('poplin_kernel_operations_total 121');
    for (const name of ['store_connected', 'lease_expiry', 'backend_info', 'last_pass']) {
      expect(second.join('\n'), name).not.toContain(`poplin_${name}`);
    }
  });

  test('count calls of plugins by command and result, and change no answer', async () => {
    const { metrics, pass, lines } = setUp();
    const answers = [
      { exitStatus: 0, stdout: '{}', stderr: '' },
      { exitStatus: 1, stdout: '{"code": 11, "msg": "later"}', stderr: '' },
      { exitStatus: 1, stdout: 'no JSON', stderr: '' },
      { exitStatus: 0, stdout: '', stderr: '' },
    ];
    const handle = metrics.counting(async () => {
      pass(20);
      return answers[0] as PluginAnswer;
    });
    for (const command of ['ADD', 'ADD', 'DEL', 'rm -rf "\n']) {
      expect(await handle(call(command))).toBe(answers[0]);
      answers.shift();
    }
    const text = (await lines()).join('\n');
    expect(text).toContain('poplin_cni_call_duration_seconds_count{command="ADD",result="ok"} 1');
    expect(text).toContain('poplin_cni_call_duration_seconds_sum{command="ADD",result="error"} 0.02');
    expect(text).toContain('poplin_cni_call_duration_seconds_bucket{le="0.01",command="ADD",result="ok"} 0');
    expect(text).toContain('poplin_cni_call_duration_seconds_bucket{le="0.025",command="ADD",result="ok"} 1');
    expect(text).toContain('poplin_cni_errors_total{command="ADD",code="11"} 1');
    expect(text).toContain('poplin_cni_errors_total{command="DEL",code="none"} 1');
    expect(text).toContain('{command="other",result="ok"} 1');
    expect((await lines()).join('\n')).toBe(text);
  });

  test('are all in the table, and the table has no others', async () => {
    const { metrics } = setUp();
    const handle = metrics.counting(async () => ({ exitStatus: 1, stdout: '{"code":7}', stderr: '' }));
    await handle(call('ADD'));
    const { text } = await metrics.read();
    const told = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
    expect(told.sort()).toEqual(
      Object.entries(METRICS)
        .map(([name, { type }]) => [name, type])
        .sort(),
    );
    for (const name of Object.keys(METRICS)) expect(text).toMatch(new RegExp(`^${name}(_bucket)?[ {]`, 'm'));
  });
});

test('a port that another process has is waited for', async () => {
  const clock = new SimClock();
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  await using _health = await serveHealth({
    host: '127.0.0.1',
    port,
    notReady: () => 'no lease',
    source: { version: '1', now: () => 0, figures: () => FIGURES },
    clock,
    logger: pino({ level: 'silent' }),
  });
  const closed = once(holder, 'close');
  holder.close();
  await closed;
  clock.advance(1000);
  await expect
    .poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status)
    .toBe(503);
});

test('an address that is not of this host is refused at once', async () => {
  const options = {
    host: '192.0.2.1',
    port: 1,
    notReady: () => undefined,
    source: { version: '1', now: () => 0, figures: () => FIGURES },
    clock: new SimClock(),
    logger: pino({ level: 'silent' }),
  };
  await expect(serveHealth(options)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
});
