/** The lab's commands as people use them, on a host of its own: what they show, what they break, what they leave. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MatrixReport, StatusReport } from '#app/lab/index.ts';
import { toolPath } from '../../tools/kube-tools.ts';
import { inTree, type Outcome, POPLIN, PrivateHost, TOPOLOGIES } from './lab-host.ts';

const LAB = [...POPLIN, 'lab'];
const SMALL = 'nodes: 2\npods: 1\n';

async function writeTopology(host: PrivateHost, text: string): Promise<string> {
  const path = `/tmp/topology-${Math.trunc(performance.now())}.yaml`;
  await host.run(['tee', path], { input: text });
  return path;
}

function json({ stdout, stderr }: Outcome): unknown {
  expect(stdout, stderr).not.toBe('');
  return JSON.parse(stdout);
}

const statusIn = (outcome: Outcome) => json(outcome) as StatusReport;
const matrixIn = (outcome: Outcome) => json(outcome) as MatrixReport;

describe('a lab that is up', () => {
  let host: PrivateHost;
  const exec = (member: string, ...command: string[]) => host.poplin('lab', 'exec', member, '--', ...command);

  beforeAll(async () => {
    host = await PrivateHost.open();
    const { code, stdout, stderr } = await host.poplin('lab', 'up');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^Kubernetes API: .*lab exec fabric -- kubectl get nodes/m);
    for (const next of ['lab matrix', 'lab exec MEMBER -- COMMAND', 'lab down'])
      expect(stdout).toContain(next);
  });

  afterAll(() => host[Symbol.asyncDispose]());

  test('is not brought up a second time, and says what to do', async () => {
    const { code, stderr } = await host.poplin('lab', 'up');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^poplin: lab "demo" is there already: ".*lab status demo" shows it, ".*lab down demo" removes it\n$/,
    );
  });

  test('is drawn by status, which knows every address', async () => {
    const { code, stdout } = await host.poplin('lab', 'status');
    expect(code).toBe(0);
    for (const text of ['rack-a', 'flannel.1', 'pod6', '3 of 3 agents ready', '══ VXLAN joins the nodes'])
      expect(stdout).toContain(text);
    const report = statusIn(await host.poplin('lab', 'status', 'demo', '--json'));
    expect(report).toMatchObject({ name: 'demo', ready: true, rootless: false });
    expect(report.nodes.map(({ agent }) => agent?.problems)).toEqual([[], [], []]);
    for (const { ipv4, ipv6, node } of report.pods) {
      const { podSubnets } = report.nodes.find(({ name }) => name === node) as StatusReport['nodes'][number];
      expect(ipv4?.split('.').slice(0, 3)).toEqual(podSubnets.ipv4?.split('.').slice(0, 3));
      expect(ipv6?.startsWith(podSubnets.ipv6?.replace('/64', '') ?? '-')).toBe(true);
    }
  });

  test('runs commands in pods, nodes and the fabric, with their status and signals', async () => {
    expect(await exec('pod1', 'ip', '-br', 'link', 'show', 'eth0')).toMatchObject({ code: 0 });
    expect((await exec('node1', 'ip', '-br', 'link')).stdout).toContain('flannel-v6.1');
    expect((await exec('fabric', 'ip', '-br', 'link')).stdout).toContain('port2');
    expect(await exec('pod1', 'sh', '-c', 'exit 7')).toMatchObject({ code: 7 });
    expect(await exec('pod1', 'sh', '-c', 'kill -TERM $$')).toMatchObject({ code: 143 });
    expect(await exec('pod1', 'no-such-command')).toMatchObject({
      code: 127,
      stderr: 'poplin: no command "no-such-command" on this machine\n',
    });
    const unknown = await exec('pod99', 'true');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(
      /^poplin: lab "demo" has no node or pod "pod99": see ".*lab status demo"\n$/,
    );
  });

  test('hands signals on to the command it runs', async () => {
    const running = host.start([
      ...LAB,
      'exec',
      'pod1',
      '--',
      'sh',
      '-c',
      'trap "exit 9" TERM; echo on; while :; do sleep 0.05; done',
    ]);
    await running.says('on');
    running.signal('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 9 });
  });

  test('serves kubectl, in the fabric and in nodes', async () => {
    const kubectl = inTree(toolPath('kubectl'));
    const nodes = await exec('fabric', kubectl, 'get', 'nodes', '-o', 'name');
    expect(nodes).toMatchObject({ code: 0, stdout: 'node/node1\nnode/node2\nnode/node3\n' });
    const { kubeconfig } = statusIn(await host.poplin('lab', 'status', '--json'));
    const pods = await exec('node2', kubectl, '--kubeconfig', kubeconfig, 'get', 'pods', '-o', 'wide', '-A');
    expect(pods.stdout).toMatch(/^default\s+pod1\s+1\/1\s+Running\s+.*10\.10\..*node1/m);
    expect((await exec('fabric', kubectl, 'get', 'leases', '-n', 'poplin-system')).stdout).toContain('node3');
  });

  test('shows a masquerade as translation, with status 1', async () => {
    const rule = 'oifname "flannel.1" masquerade';
    const chain = 'chain c { type nat hook postrouting priority srcnat; ';
    expect(await exec('node1', 'nft', `table ip translating { ${chain}${rule}; }; }`)).toMatchObject({
      code: 0,
    });
    try {
      const answer = await host.poplin('lab', 'matrix', '--json');
      const { natFree, podToPod, pairs } = matrixIn(answer);
      expect(answer.code).toBe(1);
      expect(natFree).toBe(false);
      // Two pods of node1 to four others, IPv4.
      expect(podToPod).toEqual({ passed: 52, failed: 8 });
      const bad = pairs.filter((pair) => !pair.passed && pair.from === 'pod1');
      expect(bad).not.toEqual([]);
      for (const { family, seen, reason } of bad) {
        expect(family).toBe(4);
        expect(seen).toMatch(/^10\.10\.\d+\.0$/);
        expect(reason).toBeNull();
      }
      const drawn = await host.poplin('lab', 'matrix');
      expect(drawn.code).toBe(1);
      expect(drawn.stdout).toMatch(/^pod1 +· +✓ +6 +6 +6 +6/m);
      expect(drawn.stdout).toMatch(
        /^pod1 → pod3: translated on the way: pod3 saw 10\.10\.\d+\.0, which is no address of pod1 \(IPv4\)$/m,
      );
    } finally {
      await exec('node1', 'nft', 'delete', 'table', 'ip', 'translating');
    }
    expect(await host.poplin('lab', 'matrix')).toMatchObject({ code: 0 });
  });

  test('shows a pulled cable as pairs without an answer', async () => {
    await exec('fabric', 'ip', 'link', 'set', 'port2', 'down');
    const answer = await host.poplin('lab', 'matrix', '--json');
    await exec('fabric', 'ip', 'link', 'set', 'port2', 'up');
    const { pairs, natFree } = matrixIn(answer);
    expect(answer.code).toBe(1);
    expect(natFree).toBe(true);
    const lost = pairs.filter((pair) => !pair.passed);
    const far = ['node3', 'pod5', 'pod6'];
    expect(lost.every(({ from, to }) => far.includes(from) !== far.includes(to))).toBe(true);
    expect(lost.every(({ seen, reason }) => seen === null && reason !== null)).toBe(true);
    expect(lost.length).toBeGreaterThan(0);
  });

  test('says that an agent is away, and has it back', async () => {
    const before = statusIn(await host.poplin('lab', 'status', '--json'));
    await host.run(['kill', '-STOP', String(before.nodes[0]?.agent?.pid)]);
    const away = await host.poplin('lab', 'status', '--json');
    await host.run(['kill', '-CONT', String(before.nodes[0]?.agent?.pid)]);
    expect(away.code).toBe(1);
    expect(statusIn(away)).toMatchObject({ ready: false });
    expect(await host.poplin('lab', 'matrix')).toMatchObject({ code: 0 });
  });
});

describe('coming and going', () => {
  let host: PrivateHost;
  let before: string;

  beforeEach(async () => {
    host = await PrivateHost.open();
    before = await host.state();
  });

  afterEach(() => host[Symbol.asyncDispose]());

  async function expectNothingLeft(): Promise<void> {
    expect(host.processes()).toEqual([]);
    expect(await host.state()).toBe(before);
  }

  async function withTopology(text: string): Promise<string> {
    const path = await writeTopology(host, text);
    before = await host.state();
    return path;
  }

  test('without a lab every command says so', async () => {
    for (const args of [['status'], ['matrix'], ['exec', 'pod1', '--', 'true'], ['down']]) {
      const { code, stderr } = await host.poplin('lab', ...args);
      expect(stderr).toMatch(/^poplin: no lab is up: build one with ".*lab up"\n$/);
      expect(code).toBe(1);
    }
    for (const args of [
      ['status', 'x'],
      ['matrix', 'x'],
      ['exec', '--lab', 'x', 'p', '--', 'true'],
      ['down', 'x'],
    ])
      expect(await host.poplin('lab', ...args)).toMatchObject({
        code: 1,
        stderr: 'poplin: there is no lab "x"\n',
      });
    const bad = await host.poplin('lab', 'down', '../../etc');
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('is not a name of a lab') });
    await expectNothingLeft();
  });

  test('down removes everything, with what people started in it; a second down says that there is none', async () => {
    expect(await host.run([...LAB, 'up', await withTopology(SMALL)])).toMatchObject({ code: 0 });
    const shell = host.start([...LAB, 'exec', 'pod1', '--', 'sh', '-c', 'echo here; exec sleep 1000']);
    await shell.says('here');
    expect(await host.poplin('lab', 'down', 'lab')).toMatchObject({ code: 0, stdout: 'lab "lab" is gone\n' });
    expect(await shell.ended).toMatchObject({ code: 143 });
    expect(await host.poplin('lab', 'down', 'lab')).toMatchObject({
      code: 1,
      stderr: 'poplin: there is no lab "lab"\n',
    });
    await expectNothingLeft();
  });

  test('two labs live side by side, and the last to go leaves nothing', async () => {
    const [one, two] = [await withTopology(`name: one\n${SMALL}`), await withTopology(`name: two\n${SMALL}`)];
    before = await host.state();
    const ups = await Promise.all([one, two].map((path) => host.poplin('lab', 'up', path)));
    expect(ups.map(({ code }) => code)).toEqual([0, 0]);
    expect(await host.poplin('lab', 'matrix')).toMatchObject({
      code: 1,
      stderr: 'poplin: several labs are up: name one of one, two\n',
    });
    expect(await host.poplin('lab', 'down', 'one')).toMatchObject({ code: 0 });
    expect(await host.poplin('lab', 'matrix')).toMatchObject({ code: 0 });
    expect(await host.poplin('lab', 'down', 'two')).toMatchObject({ code: 0 });
    await expectNothingLeft();
  });

  test.each([false, true])(
    'after kill -9 of the supervisor (ordinary user: %s), down removes what is left',
    async (ordinary) => {
      const path = await withTopology(SMALL);
      expect(await host.run([...LAB, 'up', path], { ordinary })).toMatchObject({ code: 0 });
      const { supervisorPid } = statusIn(await host.run([...LAB, 'status', '--json'], { ordinary }));
      await host.run(['kill', '-KILL', String(supervisorPid)]);
      const lost = await host.run([...LAB, 'status'], { ordinary });
      expect(lost.code).toBe(1);
      expect(lost.stderr).toMatch(
        /^poplin: lab "lab" has lost its supervisor: ".*lab down lab" removes what is left of it\n$/,
      );
      expect(await host.run([...LAB, 'down'], { ordinary })).toMatchObject({ code: 0 });
      await expectNothingLeft();
    },
  );

  test('after kill -9 of the supervisor while it builds, down removes what is left', async () => {
    const path = await withTopology(SMALL);
    const up = host.start([...LAB, 'up', path]);
    await up.says('agents');
    await host.run(['sh', '-c', 'kill -KILL $(cut -d: -f3 /run/poplin/lab/lab/lab.json | cut -d, -f1)']);
    const { code, stderr } = await up.ended;
    expect(code).toBe(1);
    expect(stderr).toContain("poplin: the lab's supervisor ended before the lab was up");
    await expectNothingLeft();
  });

  test.each(['network namespaces', 'API server', 'agents', 'attached'])(
    'SIGINT while up says "%s" leaves nothing',
    async (step) => {
      const up = host.start([...LAB, 'up']);
      await up.says(step);
      up.signal('SIGINT');
      const { code, stderr } = await up.ended;
      expect(code).toBe(130);
      expect(stderr).toContain('interrupted, and cleaned up');
      await expectNothingLeft();
    },
  );

  test('kill -9 of up before the lab is up takes the lab with it', async () => {
    const up = host.start([...LAB, 'up']);
    await up.says('agents');
    up.signal('SIGKILL');
    await up.ended;
    await expect.poll(() => host.processes(), { timeout: 10_000 }).toEqual([]);
    await expectNothingLeft();
  });

  test('an agent that cannot run ends the launch at once, with its own reason', async () => {
    const path = await withTopology(
      `${SMALL}network: { Network: 10.10.0.0/16, EnableIPv6: true, IPv6Network: "fd10::/48", Backend: { Type: ipsec, PSK: "${'x'.repeat(96)}" } }\n`,
    );
    const started = performance.now();
    const { code, stderr } = await host.run([...LAB, 'up', path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^poplin: the agent of node\d cannot run: Backend\.Type: "ipsec" is not .*\n$/m);
    expect(performance.now() - started).toBeLessThan(10_000);
    await expectNothingLeft();
  });

  test('a topology that cannot work is refused with file, line and reason, before anything is made', async () => {
    const path = await withTopology(
      'nodes: 1\npods:\n  a: { node: node1 }\n  b: { node: node1, network: bridge }\n',
    );
    const { code, stderr } = await host.run([...LAB, 'up', path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^poplin: \/tmp\/.*\.yaml:4:\d+: pods\.b\.network: node node1 has pods of both kinds: /,
    );
    expect(await host.poplin('lab', 'up', '/no/such.yaml')).toMatchObject({
      code: 1,
      stderr: 'poplin: no topology file "/no/such.yaml": see lab/topologies for examples\n',
    });
    await expectNothingLeft();
  });

  test('an ordinary user has all commands', async () => {
    const run = (...args: string[]) => host.run([...LAB, ...args], { ordinary: true });
    expect(await run('up', join(TOPOLOGIES, 'bridge.yaml'))).toMatchObject({ code: 0 });
    expect(statusIn(await run('status', '--json'))).toMatchObject({ ready: true, rootless: true });
    expect(await run('matrix')).toMatchObject({ code: 0 });
    const said = (text: string) => ({ code: 0, stdout: expect.stringContaining(text) as string, stderr: '' });
    expect(await run('exec', 'bridged1', '--', 'ip', '-br', 'link')).toEqual(said('eth0'));
    expect(await run('exec', 'node2', '--', 'ip', '-br', 'link')).toEqual(said('cni0'));
    const kubectl = [inTree(toolPath('kubectl')), 'get', 'nodes', '-o', 'name'];
    expect(await run('exec', 'fabric', '--', ...kubectl)).toEqual(said('node/node3'));
    expect(await run('exec', 'fabric', '--', 'false')).toMatchObject({ code: 1, stderr: '' });
    expect(await run('exec', 'nobody', '--', 'true')).toMatchObject({ code: 1 });
    // To root it is another user's.
    expect(await host.poplin('lab', 'status')).toMatchObject({ code: 1 });
    expect(await run('down')).toMatchObject({ code: 0 });
    await host.run(['rm', '-rf', '/tmp/.kube']);
    await expectNothingLeft();
  });

  test('a folder below /tmp that somebody else made is not used', async () => {
    await host.run(['mkdir', '-m', '777', '/tmp/poplin-65534']);
    before = await host.state();
    const { code, stderr } = await host.run([...LAB, 'up'], { ordinary: true });
    expect(stderr).toContain('poplin: /tmp/poplin-65534 is not a folder of this user alone');
    expect(code).toBe(1);
    await expectNothingLeft();
  });
});

describe('--help', () => {
  test.each(['demo', 'up', 'status', 'matrix', 'exec', 'down'])(
    'lab %s has examples and exit statuses',
    async (command) => {
      await using host = await PrivateHost.open();
      const { code, stdout } = await host.poplin('lab', command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain(`Examples:\n  poplin lab ${command}`);
      expect(stdout).toMatch(/Exit status: /);
    },
  );
});
