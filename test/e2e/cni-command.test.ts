/** `poplin cni` as people and scripts use it: networks by hand through a real agent, and the plugins' installation. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { PROGRAM } from './agent-world.ts';
import { CniHost, type Outcome } from './cni-host.ts';

const NET = {
  cniVersion: '1.0.0',
  name: 'net',
  plugins: [
    {
      type: 'bridge',
      isDefaultGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.82.0.0/24' }], [{ subnet: 'fd82::/64' }]] },
    },
  ],
};

describe('networks by hand', () => {
  let host: CniHost;
  beforeEach(async () => {
    host = new CniHost();
    await host.startAgent();
    host.configure('10-net.conflist', NET);
  });
  afterEach(() => host[Symbol.asyncDispose]());

  const cni = (...args: string[]): Promise<Outcome> =>
    host.poplin(['cni', ...args, '--cache-dir', host.cache]);
  const list = async () => {
    const { stdout } = await host.poplin([
      ...['cni', 'list', '--json', '--cache-dir', host.cache, '--root-dir', host.root],
    ]);
    return JSON.parse(stdout) as Record<string, unknown>[];
  };

  test('add prints the result and records it as cnitool does; list shows it; del takes all away, twice', async () => {
    const netns = host.pod('a');
    const added = await cni('add', 'net', netns);
    expect(added).toMatchObject({ status: 0 });
    expect(JSON.parse(added.stdout)).toMatchObject({
      cniVersion: '1.0.0',
      ips: [{ address: '10.82.0.2/24' }, { address: 'fd82::2/64' }],
    });
    host.inPod('a', 'ping -nqc1 -W1 10.82.0.1; ping -nqc1 -W1 fd82::1');
    const id = `cnitool-${createHash('sha512').update(netns).digest('hex').slice(0, 20)}`;
    const record = JSON.parse(readFileSync(join(host.cache, 'results', `net-${id}-eth0`), 'utf8')) as object;
    expect(record).toMatchObject({ kind: 'cniCacheV1', containerId: id, ifName: 'eth0', netns });
    expect(await list()).toEqual([
      {
        network: 'net',
        container: id,
        interface: 'eth0',
        addresses: ['10.82.0.2/24', 'fd82::2/64'],
        netns,
        state: 'there',
        recordedBy: ['runtime', 'agent'],
      },
    ]);
    for (let times = 0; times < 2; times++)
      expect(await cni('del', 'net', netns)).toMatchObject({ status: 0, stdout: `${id} eth0: off net\n` });
    expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
    expect(await list()).toEqual([]);
  });

  test('a second add is refused and harms nothing; an interface of somebody else’s is not taken away', async () => {
    const netns = host.pod('a');
    await cni('add', 'net', netns);
    const again = await cni('add', 'net', netns);
    expect(again.status).toBe(2);
    expect(again.stderr).toMatch(/is attached to net as eth0 already: .*poplin cni del net/);
    const other = await cni('add', 'net', netns, '--container-id', 'other');
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(/eth0 was there before: nothing was taken away/);
    host.inPod('a', 'ping -nqc1 -W1 10.82.0.1; ping -nqc1 -W1 fd82::1');
  });

  test('an add that fails is cleaned up, says so, and can be repeated', async () => {
    const netns = host.pod('a');
    host.script(
      'failing',
      `cat > ${host.folder}/stdin; [ $CNI_COMMAND = DEL ] && exit 0; echo '{"code": 120, "msg": "no", "details": "not today"}'; exit 1`,
    );
    host.configure('10-net.conflist', { ...NET, plugins: [...NET.plugins, { type: 'failing' }] });
    const failed = await cni('add', 'net', netns, '--json');
    expect(failed.status).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ code: 120, msg: 'plugin failing failed (ADD): no' });
    expect(failed.stderr).toMatch(/DEL has taken away what was made/);
    expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
    expect(await list()).toEqual([]);
    host.configure('10-net.conflist', NET);
    expect(await cni('add', 'net', netns)).toMatchObject({ status: 0 });
  });

  test('del works when the configuration and the namespace are gone, from what add recorded', async () => {
    const netns = host.pod('a');
    await cni('add', 'net', netns);
    rmSync(join(host.conf, '10-net.conflist'));
    host.removePod('a');
    const gone = await cni('del', 'net', netns);
    expect(gone).toMatchObject({ status: 0 });
    expect(gone.stderr).toMatch(/configuration recorded by ADD is used/);
    expect(await list()).toEqual([]);
    expect((await cni('del', 'net', netns)).status).toBe(1);
  });

  test('gc takes away whose namespace is gone and keeps the rest', async () => {
    for (const pod of ['a', 'b']) expect(await cni('add', 'net', host.pod(pod))).toMatchObject({ status: 0 });
    host.removePod('a');
    expect((await list()).map((row) => row['state']).sort()).toEqual(['gone', 'there']);
    // Of this one the runtime has no record here: the agent's keeps it.
    const elsewhere = join(host.folder, 'elsewhere');
    await host.poplin(['cni', 'add', 'net', host.pod('c'), '--cache-dir', elsewhere]);
    const collected = await cni('gc', 'net', '--json', '--root-dir', host.root);
    expect(collected).toMatchObject({ status: 0 });
    expect(JSON.parse(collected.stdout)).toMatchObject({ valid: [{}, {}], removed: [{ ifName: 'eth0' }] });
    expect((await list()).map((row) => row['recordedBy'])).toContainEqual(['runtime', 'agent']);
    host.inPod('c', 'ping -nqc1 -W1 10.82.0.1');
    host.inPod('b', 'ping -nqc1 -W1 10.82.0.1');
    expect(await cni('gc', 'net', '--none-valid')).toMatchObject({ status: 0 });
    expect((await list()).map((row) => row['recordedBy'])).toEqual([['agent']]);
  });

  test('a killed add leaves nothing that del does not take away', async () => {
    const netns = host.pod('a');
    // Tells that it runs, and waits to be killed with the runtime.
    host.script(
      'waiting',
      `[ $CNI_COMMAND = DEL ] && exit 0; echo $$ > ${host.folder}/new; mv ${host.folder}/new ${host.folder}/pid; exec sleep 600`,
    );
    host.configure('10-net.conflist', { ...NET, plugins: [...NET.plugins, { type: 'waiting' }] });
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      rmSync(join(host.folder, 'pid'), { force: true });
      const child = host.start(['cni', 'add', 'net', netns, '--cache-dir', host.cache], 'pipe');
      const ended = host.finish(child);
      while (!existsSync(join(host.folder, 'pid'))) await sleep(5);
      child.kill(signal);
      const { stderr, status } = await ended;
      const waiting = Number(readFileSync(join(host.folder, 'pid'), 'utf8'));
      if (signal === 'SIGTERM') {
        expect(stderr).toMatch(/interrupted by SIGTERM/);
        expect(status).toBe(1);
        expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
      } else {
        process.kill(waiting, 'SIGKILL');
        expect(await cni('del', 'net', netns)).toMatchObject({ status: 0 });
        expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
      }
    }
    expect(host.sh('ip -o link show type veth')).toBe('');
  });

  test('what is wrong with the use is status 2, and says what to do', async () => {
    const netns = host.pod('a');
    const cases: [string[], RegExp][] = [
      [['add', 'net', '/nowhere'], /no network namespace at \/nowhere: make one with "ip netns add/],
      [['add', 'net', netns, '--args', 'IP'], /--args \(CNI_ARGS\): invalid pair "IP"/],
      [['add', 'net', netns, '--cap-args', '{'], /--cap-args \(CAP_ARGS\)/],
      [['gc', 'net', '--valid', 'x'], /--valid: "x" is not CONTAINER\/IFNAME/],
      [['status', 'net', '--timeout', 'soon'], /--timeout: "soon"/],
    ];
    for (const [args, text] of cases) {
      const outcome = await cni(...args);
      expect([args[0], outcome.status]).toEqual([args[0], 2]);
      expect(outcome.stderr).toMatch(text);
    }
    const misspelt = await cni('add', 'nett', netns);
    expect(misspelt).toMatchObject({ status: 1, stderr: expect.stringMatching(/did you mean "net"\?/) });
    expect(await cni('version', 'net')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^bridge: 0\.1\.0, .*1\.1\.0$/m),
    });
  });
});

describe('installation', () => {
  let folder = '';
  let bin = '';
  let conf = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-install-'));
    bin = join(folder, 'bin');
    conf = join(folder, 'net.d');
    mkdirSync(bin);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (command: string, ...more: string[]) => {
    const where = command === 'install' ? ['--bin-dir', bin, '--conf-dir', conf] : [];
    const args = [PROGRAM, 'cni', command, '--manifest', join(folder, 'manifest.json'), ...where, ...more];
    return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
  };
  const foreign = (name: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\necho foreign ${name}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const everything = (): Record<string, string> => {
    const found: Record<string, string> = {};
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      if (statSync(path).isFile())
        found[name] = createHash('sha256').update(readFileSync(path)).digest('hex');
    }
    return found;
  };
  const ours = createHash('sha256')
    .update(readFileSync(join(PROGRAM, '..', 'poplin-cni')))
    .digest('hex');

  test('puts the client under each name and a configuration, and takes away exactly that', () => {
    foreign('of-somebody');
    const before = everything();
    run('install');
    for (const type of PLUGIN_TYPES) expect(everything()[`bin/${type}`]).toBe(ours);
    expect(
      execFileSync(join(bin, 'bridge'), { env: { CNI_COMMAND: 'VERSION' }, input: '{}' }).toString(),
    ).toMatch(/"supportedVersions"/);
    const config = join(conf, '10-poplin.conflist');
    expect(
      execFileSync(process.execPath, [PROGRAM, 'cni', 'validate', config], { encoding: 'utf8' }),
    ).toMatch(/0 problems, 0 warnings/);
    const installed = everything();
    expect(JSON.parse(run('install', '--json'))).toContainEqual({ path: config, done: 'unchanged' });
    expect(everything()).toEqual(installed);
    run('uninstall');
    expect(everything()).toEqual(before);
    expect(run('uninstall')).toBe('nothing is installed\n');
  });

  test('files of others stop it before anything is changed; --replace keeps them, and uninstall puts them back', () => {
    foreign('bridge');
    foreign('host-local');
    const before = everything();
    expect(() => run('install')).toThrow(/files of others are in the way: .*bin\/bridge, .*bin\/host-local/);
    expect(everything()).toEqual(before);
    run('install', '--replace');
    expect(everything()['bin/bridge']).toBe(ours);
    expect(everything()['bin/.displaced-by-poplin/bridge']).toBe(before['bin/bridge']);
    run('install');
    run('uninstall');
    expect(everything()).toEqual(before);
    expect(statSync(join(bin, 'bridge')).mode & 0o777).toBe(0o755);
  });

  test('what somebody else has written since is left as it is, and told of', () => {
    foreign('bridge');
    run('install', '--replace', '--no-conf');
    rmSync(join(bin, 'bridge'));
    writeFileSync(join(bin, 'bridge'), 'a newer one');
    expect(run('uninstall')).toMatch(/bin\/bridge: left: changed by somebody else \(the former file: /);
    expect(readFileSync(join(bin, 'bridge'), 'utf8')).toBe('a newer one');
  });

  test('a configuration that cannot work is refused', () => {
    writeFileSync(join(folder, 'bad.conflist'), '{"name": "x", "plugins": [{}]}');
    expect(() => run('install', '--conf', join(folder, 'bad.conflist'))).toThrow(
      /bad\.conflist:1:27: plugins\[0\]\.type/,
    );
    expect(readdirSync(bin)).toEqual([]);
  });

  test('killed at any point, a repetition finishes it and uninstall takes all of it back', async () => {
    for (const name of ['bridge', 'loopback']) foreign(name);
    const before = everything();
    const kill = async (command: string, afterMs: number, ...more: string[]) => {
      const where = command === 'install' ? ['--bin-dir', bin, '--conf-dir', conf] : [];
      const args = [PROGRAM, 'cni', command, '--manifest', join(folder, 'manifest.json'), ...where, ...more];
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
      const [code] = (await once(child, 'close')) as [number | null];
      clearTimeout(timer);
      return code === null;
    };
    const whole = performance.now();
    run('install', '--replace');
    const took = performance.now() - whole;
    run('uninstall');
    let killed = 0;
    for (let round = 0; round < 12; round++) {
      const share = 0.5 + (0.5 * (round + Math.random())) / 12;
      if (await kill('install', took * share, '--replace')) killed++;
      // At every moment a name leads to a whole file, and the configuration comes last.
      for (const name of ['bridge', 'loopback'])
        expect([ours, before[`bin/${name}`]]).toContain(everything()[`bin/${name}`]);
      if (existsSync(join(conf, '10-poplin.conflist')))
        for (const type of PLUGIN_TYPES) expect(everything()[`bin/${type}`]).toBe(ours);
      if (round % 2 === 0) {
        run('install', '--replace');
        for (const type of PLUGIN_TYPES) expect(everything()[`bin/${type}`]).toBe(ours);
        if (await kill('uninstall', took * share)) killed++;
      }
      run('uninstall');
      expect(everything()).toEqual(before);
    }
    expect(killed).toBeGreaterThan(0);
  });
});
