/** The demonstration as people run it, on a host of its own: its proof, its one JSON line, its interruption, and what it leaves. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Outcome, POPLIN, PrivateHost, until } from './lab-host.ts';

const DEMO = [...POPLIN, 'lab', 'demo'];

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

function expectProof({ code, stdout, stderr }: Outcome): void {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  expect(last, stderr).toMatch(
    /^\{"nodes":3,"pods":6,"podToPod":\{"passed":60,"failed":0\},"podToNode":\{"passed":36,"failed":0\},"nodeToPod":\{"passed":36,"failed":0\},"natFree":true,"cleanup":"exact","seconds":[\d.]+\}$/,
  );
  expect(code).toBe(0);
}

describe('--once', () => {
  test('as root it proves all pairs, prints one JSON line and leaves the host as it was', async () => {
    expect(before).not.toContain('/run/netns');
    const outcome = await host.run([...DEMO, '--once', '--json']);
    expectProof(outcome);
    expect(outcome.stdout.trimEnd()).not.toContain('\n');
    await expectNothingLeft();
  });

  test('a folder of namespaces that was there before stays as it was', async () => {
    await host.run(['ip', 'netns', 'add', 'before']);
    before = await host.state();
    expectProof(await host.run([...DEMO, '--once', '--json']));
    await expectNothingLeft();
  });

  test('as an ordinary user it passes too', async () => {
    expectProof(await host.run([...DEMO, '--once', '--json'], { ordinary: true }));
    await expectNothingLeft();
  });

  test('as the root of a user namespace it passes too', async () => {
    const command = ['unshare', '--user', '--map-root-user', '--', ...DEMO, '--once', '--json'];
    expectProof(await host.run(command, { ordinary: true }));
    await expectNothingLeft();
  });

  test('where user namespaces are forbidden it names the setting and the remedy', async () => {
    const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const { code, stdout, stderr } = await host.run(
      ['unshare', '--user', '--map-root-user', '--', 'sh', '-c', forbid, 'sh', ...DEMO, '--once', '--json'],
      { ordinary: true },
    );
    expect(stderr).toContain('user.max_user_namespaces=0 forbids it');
    expect(stderr).toContain('sysctl -w user.max_user_namespaces=');
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).toBe('');
    expect(code).toBe(1);
    await expectNothingLeft();
  });

  test('a lab of that name that is up already is told of, not touched', async () => {
    expect(await host.poplin('lab', 'up')).toMatchObject({ code: 0 });
    const { code, stderr } = await host.run([...DEMO, '--once']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^poplin: lab "demo" is there already: ".*lab down demo" removes it$/m);
    expect(await host.poplin('lab', 'status', '--json')).toMatchObject({ code: 0 });
    expect(await host.poplin('lab', 'down')).toMatchObject({ code: 0, stdout: 'lab "demo" is gone\n' });
    await expectNothingLeft();
  });
});

describe('staying up', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s cleans up', async (name) => {
    const demo = host.start(DEMO);
    await demo.says('Ctrl-C here cleans up');
    for (const text of [
      'rack-b',
      '══ VXLAN joins the nodes',
      'from \\ to  pod1',
      'lab exec pod1 -- ip route',
    ])
      expect(demo.output).toContain(text);
    expect(await host.poplin('lab', 'matrix')).toMatchObject({ code: 0 });
    demo.signal(name);
    const { code, stdout } = await demo.ended;
    expect(stdout).toContain('the host is as it was before');
    expect(code).toBe(0);
    await expectNothingLeft();
  });

  test.each([
    ['SIGINT', 'network namespaces', [130]],
    ['SIGINT', 'API server', [130]],
    ['SIGTERM', 'agents', [143]],
    ['SIGINT', 'attached', [130]],
    // The probes may be done before the signal arrives.
    ['SIGINT', 'every pair', [130, 0]],
  ] as const)('%s while it says "%s" cleans up', async (name, step, statuses) => {
    const demo = host.start(DEMO);
    await demo.says(step);
    demo.signal(name);
    const { code, stdout } = await demo.ended;
    expect(stdout).toContain('the host is as it was before');
    expect(statuses).toContain(code);
    await expectNothingLeft();
  });

  test('killed outright, its lab goes with it', async () => {
    const demo = host.start(DEMO);
    await demo.says('Ctrl-C here cleans up');
    demo.signal('SIGKILL');
    await demo.ended;
    await until(
      'nothing is left',
      async () => host.processes().length === 0 && (await host.state()) === before,
    );
  });

  test('taken down from elsewhere, it ends', async () => {
    const demo = host.start(DEMO);
    await demo.says('Ctrl-C here cleans up');
    expect(await host.poplin('lab', 'down')).toMatchObject({ code: 0 });
    expect(await demo.ended).toMatchObject({ code: 0 });
    await expectNothingLeft();
  });
});
