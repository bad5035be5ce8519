import { describe, expect, test } from 'vitest';
import { cniEnvironment, memoryIpam } from '#testing/cni/index.ts';
import type { ExecPlugin, PluginExecution, PluginOutput } from '../ports.ts';
import { CniError } from '../spec/error.ts';
import type { JsonObject } from '../spec/json.ts';
import { parseNetworkConfig } from '../spec/network-config.ts';
import { chooseIpam, openIpam, openIpamToGiveBack } from './ipam.ts';

const network = (ipam: JsonObject, more: JsonObject = {}) =>
  parseNetworkConfig({ cniVersion: '1.1.0', name: 'net', type: 'bridge', ipam, ...more });

/** A plugin host that answers every call alike and keeps what it was asked. */
function answering(output: Partial<PluginOutput>): { exec: ExecPlugin; calls: PluginExecution[] } {
  const calls: PluginExecution[] = [];
  const exec: ExecPlugin = {
    async run(execution) {
      calls.push(execution);
      return { exitCode: 0, stdout: '', stderr: '', ...output };
    },
  };
  return { exec, calls };
}

describe('the choice', () => {
  test('is none, host-local or somebody else’s plugin', () => {
    expect(chooseIpam(parseNetworkConfig({ name: 'net' }), '')).toEqual({ kind: 'none' });
    expect(chooseIpam(network({ type: '' }), '')).toEqual({ kind: 'none' });
    expect(chooseIpam(network({ type: 'dhcp' }), '')).toEqual({ kind: 'delegate', type: 'dhcp' });
    expect(chooseIpam(network({ type: 'host-local', subnet: '10.1.0.0/24' }), '').kind).toBe('host-local');
    expect(chooseIpam(network({ type: 'static', addresses: [{ address: '10.1.0.9/24' }] }), '').kind).toBe(
      'static',
    );
  });
});

describe('a delegated plugin', () => {
  const config = network({ type: 'whereabouts' }, { keyA: 1 });
  const environment = cniEnvironment({ args: 'IP=10.1.0.9' });

  test('gets the whole configuration and the same environment, and its result is read by its version', async () => {
    const stdout = JSON.stringify({ cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.0.9/24' }] });
    const { exec, calls } = answering({ stdout });
    const ipam = openIpam(
      { kind: 'delegate', type: 'whereabouts' },
      config,
      environment,
      memoryIpam({ exec }),
    );
    expect((await ipam.add()).ips).toEqual([{ address: '10.1.0.9/24' }]);
    await ipam.check();
    await ipam.status();
    await ipam.gc();
    await ipam.del();
    expect(calls.map((call) => call.environment['CNI_COMMAND'])).toEqual([
      'ADD',
      'CHECK',
      'STATUS',
      'GC',
      'DEL',
    ]);
    expect(calls[0]).toEqual({
      type: 'whereabouts',
      stdin: JSON.stringify(config.json),
      environment: {
        CNI_COMMAND: 'ADD',
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: '/run/netns/pod1',
        CNI_IFNAME: 'eth0',
        CNI_ARGS: 'IP=10.1.0.9',
        CNI_PATH: '/opt/cni/bin',
      },
    });
  });

  test.each([
    [{ exitCode: 1, stdout: '{"code": 11, "msg": "later"}' }, 11, 'later'],
    [
      { exitCode: 2, stderr: 'panic' },
      999,
      'plugin whereabouts failed (DEL) with status 2 and no error object',
    ],
    [
      { exitCode: 1, stdout: 'oops' },
      999,
      'plugin whereabouts failed (DEL) with status 1 and no error object',
    ],
  ])('that fails with %j gives its error', async (output, code, msg) => {
    const ports = memoryIpam({ exec: answering(output).exec });
    const ipam = openIpamToGiveBack('whereabouts', config, cniEnvironment({ command: 'DEL' }), ports);
    const error = await ipam.del().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CniError);
    expect(error).toMatchObject({ code, msg });
  });
});

describe('host-local', () => {
  const ipam = { type: 'host-local', subnet: '10.1.0.0/29', resolvConf: '/etc/resolv.conf' };

  test('takes dns from resolvConf, is checked, and gives back what GC does not list', async () => {
    const ports = memoryIpam({ readResolvConf: async () => 'nameserver 10.1.0.1\n' });
    const open = (containerId: string, config = network(ipam)) =>
      openIpam(chooseIpam(config, ''), config, cniEnvironment({ containerId }), ports);
    expect((await open('c1').add()).dns).toEqual({ nameservers: ['10.1.0.1'] });
    await open('c2').add();
    await open('c2').check();
    await open('c2').status();
    const valid = [{ containerID: 'c1', ifname: 'eth0' }];
    await open('', network(ipam, { 'cni.dev/valid-attachments': valid })).gc();
    await open('c1').check();
    await expect(open('c2').check()).rejects.toThrow(
      'no address is reserved for container c2 interface eth0',
    );
  });

  test('gives back under a configuration that has become invalid', async () => {
    const ports = memoryIpam();
    const good = network({ type: 'host-local', subnet: '10.1.0.0/30' });
    await openIpam(chooseIpam(good, ''), good, cniEnvironment(), ports).add();
    const broken = network({ type: 'host-local', subnet: '10.1.0.0/33' });
    await openIpamToGiveBack('host-local', broken, cniEnvironment({ command: 'DEL' }), ports).del();
    const again = openIpam(chooseIpam(good, ''), good, cniEnvironment({ containerId: 'c2' }), ports);
    expect((await again.add()).ips[0]?.address).toBe('10.1.0.2/30');
  });
});

test('no IPAM does nothing and fails at nothing', async () => {
  const ipam = openIpam(
    { kind: 'none' },
    parseNetworkConfig({ name: 'net' }),
    cniEnvironment(),
    memoryIpam(),
  );
  expect((await ipam.add()).ips).toEqual([]);
  await Promise.all([ipam.del(), ipam.check(), ipam.status(), ipam.gc()]);
});
