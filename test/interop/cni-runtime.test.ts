/**
 * Our runtime with the reference plugins (package containernetworking-plugins), alone and in one chain with ours, which a real agent
 * serves; and with plugins that misbehave.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROGRAM, until } from '../e2e/agent-world.ts';
import { CniHost, type Outcome } from '../e2e/cni-host.ts';

const REFERENCE = '/usr/lib/cni';
const CLIENT = join(PROGRAM, '..', 'poplin-cni');
const PORTS = JSON.stringify({
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  mac: '02:00:00:00:82:01',
});

let host: CniHost;
const servers: ChildProcess[] = [];
beforeEach(() => {
  host = new CniHost();
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.kill('SIGKILL');
  await host[Symbol.asyncDispose]();
});

/** Bridge with host-local, then tuning and portmap, all files in the host's own folders. */
const chain = (name: string, more: readonly object[] = []) => ({
  cniVersion: '1.0.0',
  name,
  plugins: [
    {
      type: 'bridge',
      bridge: 'ref0',
      isGateway: true,
      isDefaultGateway: true,
      ipam: {
        type: 'host-local',
        dataDir: join(host.folder, 'networks'),
        ranges: [[{ subnet: '10.83.0.0/24' }], [{ subnet: 'fd83::/64' }]],
      },
    },
    {
      type: 'tuning',
      dataDir: join(host.folder, 'tuning'),
      capabilities: { mac: true },
      sysctl: { 'net.core.somaxconn': '500' },
    },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ...more,
  ],
});

/** A folder of plugins: by name, the file that is meant. */
function plugins(files: Readonly<Record<string, string>>): string {
  const folder = join(host.folder, 'mixed');
  mkdirSync(folder);
  for (const [name, file] of Object.entries(files)) symlinkSync(file, join(folder, name));
  return folder;
}

const cni = (path: string, command: string, ...args: string[]): Promise<Outcome> => {
  const ports = command === 'add' ? ['--cap-args', PORTS] : [];
  return host.poplin(['cni', command, ...args, ...ports, '--cache-dir', host.cache, '--cni-path', path]);
};

const reserved = (name: string) =>
  readdirSync(join(host.folder, 'networks', name)).filter((file) => /^[0-9a-f.:]+$/.test(file));

/** Serves a greeting on port 80 of a pod, in both families. */
async function serve(pod: string): Promise<void> {
  const listen = ['TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0', 'EXEC:echo greetings'];
  servers.push(spawn('nsenter', [`--net=${host.pod(pod)}`, 'socat', ...listen], { stdio: 'ignore' }));
  await until('the server listens', () => host.inPod(pod, 'ss -Hltn').includes(':80'));
}

const fetched = (address: string) => host.sh(`socat -T2 -u TCP:${address}:8080 -`);

describe('a chain of reference plugins', () => {
  test('is added, checked and taken away; traffic flows in both families', async () => {
    const netns = host.pod('a');
    host.configure('10-ref.conflist', chain('ref'));
    const added = await cni(REFERENCE, 'add', 'ref', netns);
    expect(added).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(added.stdout)).toMatchObject({
      cniVersion: '1.0.0',
      ips: [{ address: '10.83.0.2/24' }, { address: 'fd83::2/64' }],
    });
    expect(host.inPod('a', 'cat /proc/sys/net/core/somaxconn')).toBe('500\n');
    expect(host.inPod('a', 'ip link show eth0')).toContain('02:00:00:00:82:01');
    await serve('a');
    for (const address of ['192.168.80.1', '[fd80::1]']) expect(fetched(address)).toBe('greetings\n');

    // CHECK of portmap 1.1 takes an IPv4 address for IPv6 rules, and so fails where there are both.
    const { plugins: all, ...rest } = chain('ref');
    host.configure('10-ref.conflist', { ...rest, plugins: all.slice(0, 2) });
    expect(await cni(REFERENCE, 'check', 'ref', netns)).toMatchObject({ status: 0, stderr: '' });
    host.inPod('a', 'ip address del 10.83.0.2/24 dev eth0');
    const broken = await cni(REFERENCE, 'check', 'ref', netns);
    expect(broken).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/plugin bridge failed \(CHECK\)/),
    });

    host.configure('10-ref.conflist', chain('ref'));
    expect(await cni(REFERENCE, 'del', 'ref', netns)).toMatchObject({ status: 0, stderr: '' });
    expect(reserved('ref')).toEqual([]);
    expect(host.sh('iptables-save -t nat; ip6tables-save -t nat')).not.toMatch(/10\.83\.0\.2|fd83::2/);
    expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
    expect(await cni(REFERENCE, 'check', 'ref', netns)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no record of container cnitool-/),
    });
  });

  test('that fails in the middle is cleaned up', async () => {
    const netns = host.pod('a');
    const { plugins: all, ...rest } = chain('ref');
    const tuning = { ...all[1], sysctl: { 'net.ipv4.no_such_key': '1' } };
    host.configure('10-ref.conflist', { ...rest, plugins: [all[0], tuning, all[2]] });
    const failed = await cni(REFERENCE, 'add', 'ref', netns);
    expect(failed).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/DEL has taken away what was made[^]*plugin tuning failed \(ADD\)/),
    });
    expect(reserved('ref')).toEqual([]);
    expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
    expect(readdirSync(host.cache)).toEqual([]);
  });

  test('is not used where it does not speak the network’s version', async () => {
    host.configure('10-ref.conflist', { ...chain('ref'), cniVersion: '1.1.0' });
    const asked = await cni(REFERENCE, 'version', 'ref');
    expect(asked.status).toBe(1);
    expect(asked.stdout).toMatch(/^bridge: .*: does not speak 1\.1\.0$/m);
    host.configure('10-ref.conflist', { ...chain('ref'), cniVersions: ['0.4.0', '1.0.0'] });
    expect(await cni(REFERENCE, 'version', 'ref')).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('one chain with plugins of both', () => {
  test('our bridge through the agent, their tuning and portmap', async () => {
    await host.startAgent();
    const path = plugins({
      bridge: CLIENT,
      'host-local': CLIENT,
      tuning: `${REFERENCE}/tuning`,
      portmap: `${REFERENCE}/portmap`,
    });
    const netns = host.pod('a');
    host.configure('10-mixed.conflist', chain('mixed'));
    expect(await cni(path, 'add', 'mixed', netns)).toMatchObject({ status: 0, stderr: '' });
    await serve('a');
    for (const address of ['192.168.80.1', '[fd80::1]']) expect(fetched(address)).toBe('greetings\n');
    expect(await cni(path, 'del', 'mixed', netns)).toMatchObject({ status: 0, stderr: '' });
    // DEL is answered before the link is gone, and with it the addresses.
    await expect.poll(() => reserved('mixed')).toEqual([]);
    expect(host.sh('iptables-save -t nat; ip6tables-save -t nat')).not.toMatch(/10\.83\.0\.2|fd83::2/);
  });

  test('their bridge with our host-local', async () => {
    await host.startAgent();
    const path = plugins({ bridge: `${REFERENCE}/bridge`, 'host-local': CLIENT });
    const netns = host.pod('a');
    const { plugins: all, ...rest } = chain('mixed');
    host.configure('10-mixed.conflist', { ...rest, plugins: [all[0]] });
    expect(await cni(path, 'add', 'mixed', netns)).toMatchObject({ status: 0, stderr: '' });
    host.inPod('a', 'ping -nqc1 -W1 10.83.0.1');
    expect(reserved('mixed').sort()).toEqual(['10.83.0.2', 'fd83::2']);
    expect(await cni(path, 'del', 'mixed', netns)).toMatchObject({ status: 0, stderr: '' });
    expect(reserved('mixed')).toEqual([]);
  });
});

describe('a plugin that misbehaves ends the ADD, which is cleaned up', () => {
  test.each([
    ['hangs', 'exec sleep 600', /plugin bad was killed: no answer in 1 s/],
    ['prints garbage', 'echo "{ not JSON"', /cannot decode output of plugin bad/],
    ['prints nothing', 'exit 0', /it printed no result/],
    ['prints 10 MB', 'exec head -c 10000000 /dev/zero', /killed: it printed more than 4 MiB/],
    ['dies', 'kill -9 $$', /plugin bad was ended by SIGKILL/],
    ['fails in other words', 'echo oops >&2; exit 7', /with status 7 and no error object; oops/],
  ])('because it %s', async (_how, script, text) => {
    host.script('bad', `[ $CNI_COMMAND = DEL ] && exit 0; ${script}`);
    const netns = host.pod('a');
    host.configure('10-ref.conflist', chain('ref', [{ type: 'bad' }]));
    const failed = await host.poplin([
      ...['cni', 'add', 'ref', netns, '--cache-dir', host.cache, '--timeout', '1'],
      ...['--cni-path', `${REFERENCE}:${host.bin}`],
    ]);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(text);
    expect(failed.stderr).toMatch(/DEL has taken away what was made/);
    expect(host.inPod('a', 'ip -o link')).not.toMatch(/eth0/);
    expect(reserved('ref')).toEqual([]);
  });
});
