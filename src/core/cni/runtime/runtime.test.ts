import { describe, expect, test } from 'vitest';
import type { AttachmentCache, ExecPlugin, PluginExecution } from '../ports.ts';
import type { JsonObject } from '../spec/json.ts';
import { decodeCachedAttachment, decodeCachedResult } from './cache.ts';
import { parseNetworkList } from './network-list.ts';
import { NetworkRuntime } from './runtime.ts';

const network = (cniVersion: string, more: JsonObject = {}) =>
  parseNetworkList(
    JSON.stringify({
      cniVersion,
      name: 'net',
      plugins: [{ type: 'bridge' }, { type: 'portmap', capabilities: { portMappings: true } }],
      ...more,
    }),
  );
const ID = { containerId: 'c1', ifName: 'eth0' };
const WISH = { ...ID, netns: '/run/netns/blue' };
const RESULT = { cniVersion: '1.1.0', ips: [{ address: '10.1.0.2/24' }] };
const ERROR = { exitCode: 1, stdout: '{"code": 120, "msg": "no"}', stderr: '' };

type Answer = { exitCode: number; stdout: string; stderr: string };

function world(answer: (call: PluginExecution) => Answer | undefined = () => undefined) {
  const calls: PluginExecution[] = [];
  const records = new Map<string, string>();
  const exec: ExecPlugin = {
    run: async (call) => {
      calls.push(call);
      const stdout = call.environment['CNI_COMMAND'] === 'ADD' ? JSON.stringify(RESULT) : '';
      return answer(call) ?? { exitCode: 0, stdout, stderr: '' };
    },
  };
  const cache: AttachmentCache = {
    load: async (path) => records.get(path),
    save: async (path, text) => {
      records.set(path, text);
    },
    remove: async (path) => {
      records.delete(path);
    },
    all: async () => [...records].sort().map(([path, text]) => ({ path, text })),
  };
  const said = () => calls.map((call) => `${call.environment['CNI_COMMAND']} ${call.type}`);
  const requests = () => calls.map((call) => JSON.parse(call.stdin) as JsonObject);
  return {
    runtime: new NetworkRuntime({ exec, cache, path: '/opt/cni/bin' }),
    calls,
    records,
    said,
    requests,
  };
}

const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

describe('ADD', () => {
  test('records what DEL needs, with the network’s configuration whole', async () => {
    const { runtime, records, calls, requests } = world();
    const wish = { ...WISH, args: [['K', 'v']] as const, capabilityArgs: { portMappings } };
    expect(await runtime.add(network('1.1.0'), wish)).toEqual(RESULT);
    const record = decodeCachedAttachment(records.get('results/net-c1-eth0') ?? '');
    expect(record).toMatchObject({ ...WISH, network: 'net', cniArgs: [['K', 'v']], result: RESULT });
    expect(parseNetworkList(record.config).plugins).toEqual(network('1.1.0').plugins);
    calls.length = 0;
    await runtime.del(network('1.1.0'), WISH);
    expect(calls[0]?.environment['CNI_ARGS']).toBe('K=v');
    expect(requests()[0]).toMatchObject({ prevResult: RESULT, runtimeConfig: { portMappings } });
    expect(records.size).toBe(0);
  });

  test('that fails records nothing', async () => {
    const { runtime, records } = world(({ type }) => (type === 'portmap' ? ERROR : undefined));
    await expect(runtime.add(network('1.1.0'), WISH)).rejects.toMatchObject({ code: 120 });
    expect(records.size).toBe(0);
  });

  test('whose plugin prints no result fails; one without a version has the network’s', async () => {
    const silent = world(() => ({ exitCode: 0, stdout: '\n', stderr: '' }));
    await expect(silent.runtime.add(network('1.1.0'), WISH)).rejects.toThrow('it printed no result');
    const bare = world(() => ({ exitCode: 0, stdout: '{"ips": []}', stderr: '' }));
    expect(await bare.runtime.add(network('0.4.0'), WISH)).toEqual({ cniVersion: '0.4.0', ips: [] });
  });

  test('names that could lead out of the folder of records are refused', async () => {
    const { runtime, said } = world();
    for (const wrong of [{ containerId: '../x' }, { containerId: '' }, { ifName: 'a/b' }]) {
      const wish = { ...WISH, ...wrong };
      await expect(runtime.add(network('1.1.0'), wish)).rejects.toThrow();
      await expect(runtime.del(network('1.1.0'), wish)).rejects.toThrow();
      await expect(runtime.check(network('1.1.0'), wish)).rejects.toThrow();
    }
    expect(said()).toEqual([]);
  });
});

describe('DEL', () => {
  test('bears a record that is missing or damaged, and removes it', async () => {
    const { runtime, records, said, requests } = world();
    await runtime.del(network('1.1.0'), WISH);
    records.set('results/net-c1-eth0', 'torn');
    await runtime.del(network('1.1.0'), WISH);
    expect(said()).toEqual(['DEL portmap', 'DEL bridge', 'DEL portmap', 'DEL bridge']);
    expect(requests().every((request) => !('prevResult' in request))).toBe(true);
    expect(records.size).toBe(0);
  });

  test('that fails keeps the record for the next', async () => {
    const { runtime, records } = world(({ environment }) =>
      environment['CNI_COMMAND'] === 'DEL' ? ERROR : undefined,
    );
    await runtime.add(network('1.1.0'), WISH);
    await expect(runtime.del(network('1.1.0'), WISH)).rejects.toMatchObject({ code: 120 });
    expect(records.size).toBe(1);
  });
});

describe('CHECK', () => {
  test('needs a record, and a version that knows it', async () => {
    const { runtime, said, requests } = world();
    await expect(runtime.check(network('1.1.0'), WISH)).rejects.toMatchObject({ code: 3 });
    await expect(runtime.check(network('0.3.1'), WISH)).rejects.toMatchObject({
      code: 1,
      msg: 'configuration version "0.3.1" does not support the CHECK command',
    });
    await runtime.add(network('1.1.0'), WISH);
    await runtime.check(network('1.1.0'), WISH);
    expect(said().slice(-2)).toEqual(['CHECK bridge', 'CHECK portmap']);
    expect(requests().at(-1)).toMatchObject({ prevResult: RESULT });
    await runtime.check(network('1.1.0', { disableCheck: true }), WISH);
    expect(said()).toHaveLength(4);
  });

  test('passes the recorded result in the network’s version now', async () => {
    const { runtime, requests } = world();
    await runtime.add(network('1.1.0'), WISH);
    await runtime.check(network('0.4.0'), WISH);
    expect(requests().at(-1)).toMatchObject({
      cniVersion: '0.4.0',
      prevResult: { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.0.2/24' }] },
    });
  });
});

describe('GC', () => {
  test('takes away what is recorded and not valid, then tells the plugins; all errors are collected', async () => {
    const { runtime, said, records, requests } = world(({ environment, type }) => {
      const { CNI_COMMAND: command, CNI_CONTAINERID: container } = environment;
      if (command === 'DEL' && container === 'c2') return ERROR;
      return command === 'GC' && type === 'bridge' ? ERROR : undefined;
    });
    for (const containerId of ['c1', 'c2', 'c3'])
      await runtime.add(network('1.1.0'), { ...WISH, containerId });
    records.set(
      'results/other-c9-eth0',
      (records.get('results/net-c1-eth0') ?? '').replace('"net"', '"other"'),
    );
    const failed = await runtime.gc(network('1.1.0'), [ID]).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 120, msg: 'gc of network net: 2 failed' });
    expect(said().slice(6)).toEqual(['DEL portmap', 'DEL portmap', 'DEL bridge', 'GC bridge', 'GC portmap']);
    expect(requests().at(-1)?.['cni.dev/valid-attachments']).toEqual([{ containerID: 'c1', ifname: 'eth0' }]);
    expect([...records.keys()].sort()).toEqual([
      'results/net-c1-eth0',
      'results/net-c2-eth0',
      'results/other-c9-eth0',
    ]);
  });

  test('does nothing where the network disables it, and before 1.1.0 only the DELs', async () => {
    const { runtime, said } = world();
    await runtime.add(network('1.0.0'), WISH);
    expect(await runtime.gc(network('1.1.0', { disableGC: true }), [])).toEqual([]);
    expect(said()).toHaveLength(2);
    expect(await runtime.gc(network('1.0.0'), [])).toEqual([ID]);
    expect(said().slice(2)).toEqual(['DEL portmap', 'DEL bridge']);
  });
});

test('STATUS ends with the first plugin that cannot serve; before 1.1.0 nobody is asked', async () => {
  const { runtime, said } = world(({ type }) => (type === 'bridge' ? ERROR : undefined));
  await expect(runtime.status(network('1.1.0'))).rejects.toMatchObject({
    code: 120,
    msg: 'plugin bridge failed (STATUS): no',
  });
  expect(said()).toEqual(['STATUS bridge']);
  expect(await runtime.status(network('1.0.0'))).toBe(false);
});

test('VERSION asks each plugin once, and tells whether it speaks the network’s version', async () => {
  const { runtime } = world(({ type }) => {
    const supportedVersions = type === 'bridge' ? ['1.0.0', '1.1.0'] : ['1.0.0'];
    return { exitCode: 0, stdout: JSON.stringify({ cniVersion: '1.1.0', supportedVersions }), stderr: '' };
  });
  expect(await runtime.versions(network('1.1.0'))).toEqual([
    { type: 'bridge', versions: ['1.0.0', '1.1.0'], isUsable: true },
    { type: 'portmap', versions: ['1.0.0'], isUsable: false },
  ]);
  const silent = world();
  await expect(silent.runtime.versions(network('1.1.0'))).rejects.toThrow('lists no supportedVersions');
});

describe('a record of libcni', () => {
  // Written as libcni 1.1 writes it: keys in the order of its struct, and a null where Go has a nil slice.
  const RECORD =
    '{"kind":"cniCacheV1","containerId":"c1","config":"eyJjbmlWZXJzaW9uIjoiMS4wLjAiLCJuYW1lIjoibmV0In0=","ifName":"eth0","networkName":"net","netns":"/run/netns/blue","cniArgs":[["IgnoreUnknown","1"]],"capabilityArgs":{"dns":null},"result":{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/24","interface":0}],"dns":{}}}';

  test('is read', () => {
    expect(decodeCachedAttachment(RECORD)).toMatchObject({
      network: 'net',
      containerId: 'c1',
      config: '{"cniVersion":"1.0.0","name":"net"}',
      cniArgs: [['IgnoreUnknown', '1']],
    });
    expect(decodeCachedResult(RECORD, '1.0.0')).toMatchObject({ ips: [{ address: '10.1.0.2/24' }] });
    expect(decodeCachedAttachment(RECORD.replace(/"eyJ[^"]*"/, 'null')).config).toBe('');
  });

  test('may be the bare result that releases before 0.8 kept', async () => {
    const old = '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.1.0.2/24"}],"dns":{}}';
    expect(decodeCachedResult(old, '0.4.0')).toMatchObject({
      cniVersion: '0.4.0',
      ips: [{ version: '4', address: '10.1.0.2/24' }],
    });
    const { runtime, records, requests } = world();
    records.set('results/net-c1-eth0', old);
    await runtime.check(network('0.4.0'), WISH);
    expect(requests()[0]).toMatchObject({ prevResult: { cniVersion: '0.4.0' } });
    expect(await runtime.attachments()).toEqual([]);
    await runtime.del(network('0.4.0'), WISH);
    expect(records.size).toBe(0);
  });
});
