/**
 * Our host-local and the reference plugin on one data directory: each respects what the other reserved, and the files are the same
 * bytes. Needs /usr/lib/cni/host-local (package containernetworking-plugins).
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  addHostLocal,
  type CniVersion,
  encodeResult,
  type JsonObject,
  parseHostLocalConfig,
  parseNetworkConfig,
} from '#core/cni/index.ts';
import { DiskAddressStore, flockDirectoryLock } from '#io/cni/host-local-store/index.ts';

const REFERENCE = '/usr/lib/cni/host-local';
const NETWORK = 'dbnet';
const root = mkdtempSync(join(tmpdir(), 'host-local-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Implementation {
  add(config: JsonObject, containerId: string, args?: string): Promise<JsonObject>;
  del(config: JsonObject, containerId: string): Promise<void>;
}

/** flock(2) by way of flock(1): a lock belongs to the open file, so the child takes it for us. */
const store = new DiskAddressStore({
  lock: flockDirectoryLock((fd, operation) => {
    expect(operation).toBe(6);
    return spawnSync('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] }).status === 0
      ? 0
      : -11;
  }),
});

const ours: Implementation = {
  async add(config, containerId, args = '') {
    const parsed = parseHostLocalConfig(parseNetworkConfig(config), args);
    const owner = { containerId, ifName: 'eth0' };
    const result = await store.withNetwork({ name: NETWORK, dataDir: parsed.dataDir }, (addresses) =>
      addHostLocal(parsed, owner, addresses),
    );
    return encodeResult(result, config['cniVersion'] as CniVersion);
  },
  async del(config, containerId) {
    const { dataDir } = parseHostLocalConfig(parseNetworkConfig(config));
    await store.withNetwork({ name: NETWORK, dataDir }, (addresses) =>
      addresses.release({ containerId, ifName: 'eth0' }),
    );
  },
};

const theirs: Implementation = {
  add: (config, containerId, args) => reference('ADD', config, containerId, args),
  async del(config, containerId) {
    await reference('DEL', config, containerId);
  },
};

/** Runs the reference plugin; rejects with the message of its error object. */
async function reference(
  command: string,
  config: JsonObject,
  containerId: string,
  args = '',
): Promise<JsonObject> {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: '/var/run/netns/none',
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/usr/lib/cni',
    CNI_ARGS: args,
  };
  const child = spawn(REFERENCE, { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stdin.end(JSON.stringify(config));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  if (code !== 0) throw new Error(String((JSON.parse(stdout) as JsonObject)['msg']));
  return stdout === '' ? {} : (JSON.parse(stdout) as JsonObject);
}

let directories = 0;
const freshDir = () => join(root, `data${directories++}`);

function dualStack(dataDir: string, cniVersion: CniVersion = '1.0.0'): JsonObject {
  return {
    cniVersion,
    name: NETWORK,
    type: 'bridge',
    ipam: {
      type: 'host-local',
      dataDir,
      ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64', rangeStart: 'fd00:1::10' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00:1::ff' }],
    },
  };
}

function small(dataDir: string): JsonObject {
  const ipam = { type: 'host-local', dataDir, subnet: '10.1.0.0/29' };
  return { cniVersion: '0.4.0', name: NETWORK, type: 'bridge', ipam };
}

/** Every file of a network's directory with its bytes. */
function files(dataDir: string): Readonly<Record<string, string>> {
  const path = join(dataDir, NETWORK);
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((file) => [file, readFileSync(join(path, file)).toString('latin1')]),
  );
}

function addressesIn(result: JsonObject): unknown[] {
  return (result['ips'] as JsonObject[]).map((ip) => ip['address']);
}

test('the reference plugin is installed', () => {
  expect(existsSync(REFERENCE), `${REFERENCE}: install containernetworking-plugins`).toBe(true);
});

test('taking turns on one directory, they give a sequence without a gap or a double', async () => {
  const config = dualStack(freshDir());
  const given: unknown[] = [];
  for (let turn = 0; turn < 8; turn++) {
    const implementation = turn % 2 === 0 ? theirs : ours;
    given.push(addressesIn(await implementation.add(config, `c${turn}`)));
  }
  expect(given).toEqual(
    Array.from({ length: 8 }, (_, i) => [`10.1.0.${i + 2}/24`, `fd00:1::${(i + 16).toString(16)}/64`]),
  );
});

test('each releases what the other reserved', async () => {
  const dataDir = freshDir();
  const config = dualStack(dataDir);
  await theirs.add(config, 'c0');
  await ours.add(config, 'c1');
  await ours.del(config, 'c0');
  expect(Object.keys(files(dataDir))).toEqual([
    '10.1.0.3',
    'fd00:1::11',
    'last_reserved_ip.0',
    'last_reserved_ip.1',
    'lock',
  ]);
  await theirs.del(config, 'c1');
  expect(Object.keys(files(dataDir))).toEqual(['last_reserved_ip.0', 'last_reserved_ip.1', 'lock']);
});

test('each refuses a second ADD for what the other added, with the same words', async () => {
  const config = dualStack(freshDir());
  await theirs.add(config, 'c0');
  await ours.add(config, 'c1');
  const text = (address: string, id: string) =>
    `failed to allocate for range 0: ${address} has been allocated to ${id}, duplicate allocation is not allowed`;
  await expect(ours.add(config, 'c0')).rejects.toThrow(text('10.1.0.2', 'c0'));
  await expect(theirs.add(config, 'c1')).rejects.toThrow(text('10.1.0.3', 'c1'));
});

test('after the same calls the two directories hold the same files, byte for byte', async () => {
  const outcomes = [];
  for (const implementation of [theirs, ours]) {
    const dataDir = freshDir();
    const config = dualStack(dataDir);
    for (const id of ['aa', 'bb', 'cc', 'dd']) await implementation.add(config, id);
    await implementation.del(config, 'bb');
    await implementation.del(config, 'bb');
    await implementation.add(config, 'ee', 'IP=10.1.0.77');
    outcomes.push({
      files: files(dataDir),
      lockMode: statSync(join(dataDir, NETWORK, 'lock')).mode,
      mode: statSync(join(dataDir, NETWORK)).mode,
    });
  }
  expect(outcomes[1]).toEqual(outcomes[0]);
  expect(outcomes[1]?.files['10.1.0.77']).toBe('ee\r\neth0');
});

test('a range goes round and is exhausted alike', async () => {
  for (const [first, second] of [
    [theirs, ours],
    [ours, theirs],
  ] as const) {
    const config = small(freshDir());
    for (const id of ['a', 'b', 'c']) await first.add(config, id);
    await first.del(config, 'a');
    expect(addressesIn(await second.add(config, 'd'))).toEqual(['10.1.0.5/29']);
    expect(addressesIn(await second.add(config, 'e'))).toEqual(['10.1.0.6/29']);
    expect(addressesIn(await second.add(config, 'f'))).toEqual(['10.1.0.2/29']);
    const exhausted =
      'failed to allocate for range 0: no IP addresses available in range set: 10.1.0.1-10.1.0.6';
    await expect(first.add(config, 'g')).rejects.toThrow(exhausted);
    await expect(second.add(config, 'g')).rejects.toThrow(exhausted);
  }
});

test('the results are the same in every version', async () => {
  for (const version of ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0'] as const) {
    const reported = await theirs.add(dualStack(freshDir(), version), 'c0');
    const { dns, ...rest } = reported;
    expect(dns ?? {}).toEqual({}); // the reference prints an empty dns before 1.0.0
    expect(await ours.add(dualStack(freshDir(), version), 'c0')).toEqual(rest);
  }
});

test('working at the same time, no address is given twice and none is lost', async () => {
  const dataDir = freshDir();
  const config = dualStack(dataDir);
  const adds = Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? theirs : ours).add(config, `c${i}`));
  const given = (await Promise.all(adds)).flatMap(addressesIn);
  expect(new Set(given).size).toBe(48);
  expect(Object.keys(files(dataDir))).toHaveLength(48 + 3);
  await Promise.all(adds.map((_, i) => (i % 2 === 0 ? ours : theirs).del(config, `c${i}`)));
  expect(Object.keys(files(dataDir))).toHaveLength(3);
});
