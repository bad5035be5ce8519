/** How long ADD and DEL take, fifty pods one after another: by the service alone, and as a runtime sees it. Measured, not judged. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniServer } from '#io/cni/server/index.ts';
import { addonPath } from '#io/native/index.ts';
import { CniWorld } from './cni-world.ts';

const PODS = 50;
const CONFIGS = {
  poplin: { cniVersion: '1.0.0', name: 'pods', type: 'poplin' },
  bridge: {
    cniVersion: '1.0.0',
    name: 'bridged',
    type: 'bridge',
    isDefaultGateway: true,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
  },
} as const;

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

function quantiles(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] as number).toFixed(1);
  return `median ${at(0.5)} ms, 90% ${at(0.9)} ms`;
}

/** Runs the call for every pod and tells how long each took. */
async function timed(call: (pod: string) => Promise<number>): Promise<string> {
  const times: number[] = [];
  for (let at = 0; at < PODS; at++) {
    const pod = `p${at}`;
    world.pod(pod);
    const started = performance.now();
    expect(await call(pod)).toBe(0);
    times.push(performance.now() - started);
  }
  return quantiles(times);
}

test.for(['poplin', 'bridge'] as const)('%s by the service', async (plugin) => {
  const call = (command: string) => async (pod: string) =>
    (await world.answer(plugin, command, pod, CONFIGS[plugin])).exitStatus;
  console.log(`${plugin}, service: ADD ${await timed(call('ADD'))}; DEL ${await timed(call('DEL'))}`);
  await world.service.settled();
  expect(world.reserved(CONFIGS[plugin].name)).toEqual([]);
});

test.for(['poplin', 'bridge'] as const)('%s by the plugin on disk', async (plugin) => {
  const socket = join(world.folder, 'cni.sock');
  const bin = join(world.folder, 'bin');
  mkdirSync(bin);
  symlinkSync(join(dirname(addonPath()), 'poplin-cni'), join(bin, plugin));
  await using _server = await CniServer.listen({
    path: socket,
    handle: (call) => world.service.handle(call),
    onRefused: (reason) => expect.fail(reason),
  });
  const call = (command: string) => async (pod: string) => {
    const child = spawn(join(bin, plugin), {
      env: {
        POPLIN_CNI_SOCKET: socket,
        CNI_COMMAND: command,
        CNI_CONTAINERID: `container-${pod}`,
        CNI_NETNS: world.pod(pod),
        CNI_IFNAME: 'eth0',
        CNI_PATH: bin,
      },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin?.end(JSON.stringify(CONFIGS[plugin]));
    const [code] = (await once(child, 'close')) as [number];
    return code;
  };
  console.log(`${plugin}, plugin: ADD ${await timed(call('ADD'))}; DEL ${await timed(call('DEL'))}`);
  await world.service.settled();
  expect(world.reserved(CONFIGS[plugin].name)).toEqual([]);
});
