import { describe, expect, test } from 'vitest';
import type { ExecPlugin, PluginExecution } from '../ports.ts';
import type { JsonObject } from '../spec/json.ts';
import { cachePath, decodeCachedAttachment, encodeCachedAttachment } from './cache.ts';
import { parseNetworkList } from './network-list.ts';
import {
  addNetwork,
  checkNetwork,
  delNetwork,
  planNetworkAdd,
  planNetworkCheck,
  planNetworkGc,
  planNetworkStatus,
} from './sequence.ts';

/** The example of the specification: bridge, tuning and portmap. */
const spec = (cniVersion: string, more: JsonObject = {}) =>
  parseNetworkList(
    JSON.stringify({
      cniVersion,
      name: 'dbnet',
      plugins: [
        { type: 'bridge', bridge: 'cni0', keyA: ['some more'], ipam: { type: 'host-local' } },
        { type: 'tuning', capabilities: { mac: true }, sysctl: { 'net.core.somaxconn': '500' } },
        { type: 'portmap', capabilities: { portMappings: true, bandwidth: false } },
      ],
      ...more,
    }),
  );

const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
const parameters = {
  containerId: 'c1',
  ifName: 'eth0',
  netns: '/run/netns/blue',
  args: 'argA=foo',
  path: '/opt/cni/bin',
  capabilityArgs: { mac: '00:11:22:33:44:66', portMappings, bandwidth: { ingressRate: 1 } },
};

/** Plugins that answer with a result naming themselves, or fail. */
function plugins(failing?: string): { exec: ExecPlugin; calls: PluginExecution[] } {
  const calls: PluginExecution[] = [];
  const exec: ExecPlugin = {
    async run(execution) {
      calls.push(execution);
      if (execution.type === failing) {
        return { exitCode: 1, stdout: '{"code": 7, "msg": "no", "details": "why"}', stderr: '' };
      }
      const result = { cniVersion: '1.1.0', ips: [], by: execution.type };
      const isAdd = execution.environment['CNI_COMMAND'] === 'ADD';
      return { exitCode: 0, stdout: isAdd ? JSON.stringify(result) : '', stderr: '' };
    },
  };
  return { exec, calls };
}

const requestsOf = (calls: readonly PluginExecution[]) =>
  calls.map((call) => JSON.parse(call.stdin) as JsonObject);

describe('ADD', () => {
  test('calls in order, each with the result of the one before', async () => {
    const { exec, calls } = plugins();
    expect(await addNetwork(spec('1.1.0'), parameters, exec)).toMatchObject({ by: 'portmap' });
    const common = { name: 'dbnet', cniVersion: '1.1.0' };
    expect(requestsOf(calls)).toEqual([
      { type: 'bridge', bridge: 'cni0', keyA: ['some more'], ipam: { type: 'host-local' }, ...common },
      {
        type: 'tuning',
        sysctl: { 'net.core.somaxconn': '500' },
        ...common,
        runtimeConfig: { mac: '00:11:22:33:44:66' },
        prevResult: { cniVersion: '1.1.0', ips: [], by: 'bridge' },
      },
      {
        type: 'portmap',
        ...common,
        runtimeConfig: { portMappings },
        prevResult: { cniVersion: '1.1.0', ips: [], by: 'tuning' },
      },
    ]);
    expect(calls[0]?.environment).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/run/netns/blue',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'argA=foo',
      CNI_PATH: '/opt/cni/bin',
    });
  });

  test('stops at the first error, which keeps its code and names the plugin', async () => {
    const { exec, calls } = plugins('tuning');
    await expect(addNetwork(spec('1.1.0'), parameters, exec)).rejects.toMatchObject({
      code: 7,
      msg: 'plugin tuning failed (ADD): no',
      details: 'why',
    });
    expect(calls).toHaveLength(2);
  });

  test('refuses bad parameters before any plugin is called', () => {
    expect(() => planNetworkAdd(spec('1.1.0'), { ...parameters, containerId: '' })).toThrow(
      'missing containerID',
    );
    expect(() => planNetworkAdd(spec('1.1.0'), { ...parameters, ifName: 'a/b' })).toThrow('interface name');
  });
});

describe('DEL', () => {
  test.each([
    ['1.1.0', true],
    ['0.4.0', true],
    ['0.3.1', false],
  ])('in %s calls in reverse; the final result is passed: %s', async (version, isPassed) => {
    const { exec, calls } = plugins();
    const result = { cniVersion: version, ips: [] };
    await delNetwork(spec(version), parameters, result, exec);
    expect(calls.map((call) => call.type)).toEqual(['portmap', 'tuning', 'bridge']);
    for (const request of requestsOf(calls)) {
      expect(request['prevResult']).toEqual(isPassed ? result : undefined);
    }
    expect(calls[0]?.environment['CNI_COMMAND']).toBe('DEL');
  });
});

test('CHECK calls in order with the final result, from 0.4.0 on and unless it is disabled', async () => {
  const { exec, calls } = plugins();
  await checkNetwork(spec('0.4.0'), parameters, { ips: [] }, exec);
  expect(requestsOf(calls).map((request) => [request['type'], request['prevResult']])).toEqual([
    ['bridge', { ips: [] }],
    ['tuning', { ips: [] }],
    ['portmap', { ips: [] }],
  ]);
  expect(planNetworkCheck(spec('0.3.1'), parameters)).toEqual([]);
  expect(planNetworkCheck(spec('1.1.0', { disableCheck: true }), parameters)).toEqual([]);
});

test('GC and STATUS go to every plugin from 1.1.0 on, without an attachment', () => {
  const gc = planNetworkGc(spec('1.1.0'), '/opt/cni/bin', [{ containerId: 'c1', ifName: 'eth0' }]);
  const attachments = [{ containerID: 'c1', ifname: 'eth0' }];
  expect(gc.map((call) => call.type)).toEqual(['bridge', 'tuning', 'portmap']);
  expect(gc[0]?.request).toMatchObject({
    'cni.dev/valid-attachments': attachments,
    'cni.dev/attachments': attachments,
  });
  expect(gc[0]?.environment).toMatchObject({ command: 'GC', containerId: '', path: '/opt/cni/bin' });
  expect(planNetworkStatus(spec('1.1.0'), '/opt/cni/bin').map((call) => call.environment.command)).toEqual([
    'STATUS',
    'STATUS',
    'STATUS',
  ]);
  expect(planNetworkGc(spec('1.1.0', { disableGC: true }), '/x', [])).toEqual([]);
  expect([planNetworkGc(spec('1.0.0'), '/x', []), planNetworkStatus(spec('1.0.0'), '/x')]).toEqual([[], []]);
});

test('the record of an attachment is libcni’s, and is read back', () => {
  const record = {
    network: 'dbnet',
    containerId: 'c1',
    ifName: 'eth0',
    netns: '/run/netns/blue',
    config: '{"name": "dbnet", "comment": "Grüße"}',
    cniArgs: [['argA', 'foo']] as const,
    capabilityArgs: { portMappings },
    result: { cniVersion: '1.1.0', ips: [] },
  };
  const text = encodeCachedAttachment(record);
  expect(cachePath('dbnet', record)).toBe('results/dbnet-c1-eth0');
  expect(JSON.parse(text)).toMatchObject({
    kind: 'cniCacheV1',
    config: Buffer.from(record.config).toString('base64'),
  });
  expect(decodeCachedAttachment(text)).toEqual(record);
  for (const bad of ['{', '{}', '{"kind": "other"}']) {
    expect(() => decodeCachedAttachment(bad)).toThrow('cannot decode cached attachment');
  }
});
