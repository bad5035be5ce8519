/**
 * Every plugin in every version of the specification, with every command, in every family, on the real kernel: what `ip`, `nft`, `tc` and
 * `bridge` say is there, and what traffic says of it. The rows below cni-matrix/ say how each plugin is configured and witnessed.
 * docs/cni-matrix.md is the table of all cells; POPLIN_WRITE_MATRIX=1 writes it anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  CNI_COMMANDS,
  CNI_VERSIONS,
  type CniCommand,
  type CniVersion,
  isAtLeast,
  PLUGIN_TYPES,
} from '#core/cni/index.ts';
import { cellName, cellsOf, FAMILIES, type Family, matrixText, outcomeOf } from './cni-matrix/cells.ts';
import { CHAINED_ROWS } from './cni-matrix/chained-rows.ts';
import { FAR_PORT, INTERFACE_ROWS } from './cni-matrix/interface-rows.ts';
import { IPAM_ROWS } from './cni-matrix/ipam-rows.ts';
import { FAR, HOST, type Row, Subject } from './cni-matrix/subject.ts';
import { CniWorld } from './cni-world.ts';
import { Server } from './talk.ts';
import { IS_VIRTUAL } from './virtual.ts';

const ROWS: Readonly<Record<string, Row>> = { ...INTERFACE_ROWS, ...CHAINED_ROWS, ...IPAM_ROWS };
const TABLE = new URL('../../docs/cni-matrix.md', import.meta.url);
/** A few seconds suffice, but for machines in software. */
const TIMEOUT_MS = 240_000;
/** In the virtual machine only what other kernels lack is tried, in one version. */
const TRIED_PLUGINS = PLUGIN_TYPES.filter((plugin) => !IS_VIRTUAL || ROWS[plugin]?.needs !== undefined);
const TRIED_VERSIONS = IS_VIRTUAL ? CNI_VERSIONS.slice(-1) : CNI_VERSIONS;
const SILENT = { exitStatus: 0, json: undefined };

/** How a link of a kind is tried out. */
const TRIALS: Readonly<Record<string, string>> = {
  dummy: 'type dummy',
  ipvlan: 'link uplink type ipvlan',
  vlan: 'link uplink type vlan id 9',
  vrf: 'type vrf table 9',
};

/** A host with a neighbour that serves, and that knows pods to be behind the host. */
async function openWorld(row: Row): Promise<{ world: CniWorld; hasKind: boolean } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const world = stack.use(await CniWorld.open());
  const far = world.pod('far');
  // No link-local address is doubted: the host asks for neighbours at once.
  world.sh(`
    echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/uplink/accept_dad
    ip link set uplink down; ip link set uplink up; ip address add ${HOST[6]}/64 dev uplink nodad
    ip link add far0 type veth peer name eth0 netns ${far}; ip link set far0 master uplink up
    for key in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 > /proc/sys/net/$key; done`);
  world.inPod(
    'far',
    `ip link set lo up; ip link set eth0 up
     ip address add ${FAR[4]}/24 dev eth0; ip address add ${FAR[6]}/64 dev eth0 nodad
     ip route add default via ${HOST[4]}; ip route add default via ${HOST[6]}`,
  );
  stack.use(await Server.start(far, 'tcp', FAR_PORT));
  const hasKind = row.needs === undefined || hasLinks(world, row.needs);
  const prepared = hasKind ? await row.prepare?.(world) : undefined;
  if (typeof prepared === 'object') stack.use(prepared);
  const kept = stack.move();
  return { world, hasKind, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function hasLinks(world: CniWorld, kind: string): boolean {
  try {
    world.sh(`ip link add trial0 ${TRIALS[kind]}; ip link del trial0`);
    return true;
  } catch {
    return false;
  }
}

/** The result has the shape of its version: specification 0.2.0, 0.3.0 and 1.0.0, "Result". */
function expectShape({ result, version, digits, row, netns, ifName, plugin }: Subject): void {
  expect(result['cniVersion']).toBe(version);
  // The loopback device has both, whatever is asked.
  const families = plugin === 'loopback' ? [4, 6] : digits;
  if (!isAtLeast(version, '0.3.0')) {
    expect(Object.keys(result).filter((key) => !['cniVersion', 'dns'].includes(key))).toEqual(
      families.map((digit) => `ip${digit}`),
    );
    return;
  }
  const ips = result['ips'] as { version?: string; address: string; interface?: number }[];
  expect(ips.map(({ version: stated }) => stated)).toEqual(
    families.map((digit) => (isAtLeast(version, '1.0.0') ? undefined : String(digit))),
  );
  if (row.isIpam === true) return expect(result['interfaces']).toBeUndefined();
  const interfaces = result['interfaces'] as Readonly<Record<string, unknown>>[];
  for (const ip of ips)
    expect(interfaces[ip.interface ?? -1]).toMatchObject({ name: ifName, sandbox: netns });
  if (!isAtLeast(version, '1.0.0'))
    for (const each of interfaces)
      expect(['name', 'mac', 'sandbox']).toEqual(expect.arrayContaining(Object.keys(each)));
}

/** ADD, behind bridge where the plugin is chained; everything is as the row says. */
async function attach(subject: Subject): Promise<void> {
  const { row, world, pod } = subject;
  row.before?.(subject);
  if (row.isChained === true) {
    const { exitStatus, json } = await world.call('bridge', 'ADD', pod, subject.base());
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    subject.previous = json;
  }
  const { exitStatus, json } = await subject.call('ADD');
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  subject.result = json ?? {};
}

/** DEL, also twice, and of bridge where the plugin is chained. */
async function detach(subject: Subject): Promise<void> {
  const { row, world, pod } = subject;
  for (let round = 0; round < 2; round++)
    expect(await subject.call('DEL', { ...subject.request(), prevResult: subject.result })).toEqual(SILENT);
  await row.gone(subject);
  if (row.isChained === true) expect(await world.call('bridge', 'DEL', pod, subject.base())).toEqual(SILENT);
}

async function check(subject: Subject): Promise<void> {
  const { row, world } = subject;
  const answer = () => subject.call('CHECK', { ...subject.request(), prevResult: subject.result });
  expect(await answer()).toEqual(SILENT);
  await row.damage(subject);
  await expect
    .poll(async () => (await answer()).json, { timeout: 5000, interval: 10 })
    .toMatchObject({ code: 114 });
  if (row.isKept !== true) return;
  await world.stop();
  await world.start();
}

/** STATUS where ADD cannot be served, if the row knows how. */
async function status(subject: Subject): Promise<void> {
  const { row } = subject;
  const request = subject.request({ prevResult: undefined });
  if (row.impossible === undefined) return;
  const { json } = await subject.call('STATUS', { ...request, ...row.impossible(subject) });
  expect(json).toMatchObject({ code: 50 });
}

/** One pod is not valid any more, the other is. */
async function collect(stale: Subject, valid: Subject): Promise<void> {
  const { row } = stale;
  await attach(stale);
  await attach(valid);
  const kept = [{ containerID: `container-${valid.pod}`, ifname: valid.ifName }];
  const request = { ...stale.request({ prevResult: undefined }), 'cni.dev/valid-attachments': kept };
  expect(await stale.call('GC', request)).toEqual(SILENT);
  await (row.collected ?? row.gone)(stale);
  await row.works(valid);
  await detach(valid);
}

/** All commands in one family; the cells that were carried out. */
async function exercise(subject: Subject): Promise<CniCommand[]> {
  const { row, version } = subject;
  const done: CniCommand[] = [];
  const isServed = (command: CniCommand) => outcomeOf(row, version, command) === 'served';
  if (isServed('STATUS')) expect(await subject.call('STATUS')).toEqual(SILENT);
  if (isServed('ADD')) {
    await attach(subject);
    expectShape(subject);
    await row.works(subject);
  } else {
    expect((await refused(subject)).json).toMatchObject({ code: expect.any(Number) });
  }
  done.push('ADD');
  for (const command of ['CHECK', 'STATUS', 'GC'] as const) {
    if (isServed(command)) continue;
    const { json } = await subject.call(command, { ...subject.request(), prevResult: subject.result });
    expect(json, command).toMatchObject({ code: 1, msg: `config version does not allow ${command}` });
    done.push(command);
  }
  if (isServed('STATUS')) {
    await status(subject);
    done.push('STATUS');
  }
  if (isServed('CHECK')) {
    await check(subject);
    done.push('CHECK');
  }
  await detach(subject);
  done.push('DEL');
  if (isServed('GC')) {
    await collect(subject.anew('a'), subject.anew('b'));
    done.push('GC');
  }
  const supported = { cniVersion: version, supportedVersions: [...CNI_VERSIONS] };
  expect(await subject.call('VERSION', { cniVersion: version })).toEqual({ exitStatus: 0, json: supported });
  done.push('VERSION');
  return done;
}

/** ADD behind bridge in a version whose results do not say enough. */
async function refused(subject: Subject): ReturnType<Subject['call']> {
  const { json } = await subject.world.call('bridge', 'ADD', subject.pod, subject.base());
  subject.previous = json;
  const answer = await subject.call('ADD');
  expect(answer.exitStatus).toBe(1);
  subject.result = json ?? {};
  return answer;
}

const exercised = new Map<string, string[]>();
const skipped = new Set<string>();

describe.for(TRIED_PLUGINS)('%s', (plugin) => {
  const row = ROWS[plugin] as Row;

  test.for(TRIED_VERSIONS)(
    'does in version %s what each command says, in every family',
    { timeout: TIMEOUT_MS },
    async (version, context) => {
      await using opened = await openWorld(row);
      const { world, hasKind } = opened;
      const { needs, families = FAMILIES } = row;
      if (!hasKind) {
        skipped.add(plugin);
        context.skip(`the kernel has no ${needs} links`);
      }
      for (const family of families) {
        const commands = await exercise(new Subject({ world, plugin, row, version, family, letter: 'a' }));
        record(plugin, version, family, commands);
      }
      expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
    },
  );

  test('has no cell that was not exercised', () => {
    if (skipped.has(plugin)) return;
    expect(exercised.get(plugin)?.sort()).toEqual(cellsOf(plugin, row, TRIED_VERSIONS));
  });
});

function record(plugin: string, version: CniVersion, family: Family, commands: readonly CniCommand[]): void {
  const cells = exercised.get(plugin) ?? [];
  exercised.set(plugin, cells);
  for (const command of commands)
    cells.push(cellName(plugin, version, command, family, outcomeOf(ROWS[plugin] as Row, version, command)));
}

test('every plugin has a row, every row a plugin, and the table in the documentation is of all of them', () => {
  expect(Object.keys(ROWS).sort()).toEqual(PLUGIN_TYPES);
  expect(CNI_COMMANDS).toHaveLength(6);
  const text = matrixText(new Map(PLUGIN_TYPES.map((plugin) => [plugin, ROWS[plugin] as Row])));
  if (process.env['POPLIN_WRITE_MATRIX'] === '1') writeFileSync(TABLE, text);
  expect(readFileSync(TABLE, 'utf8')).toBe(text);
});
