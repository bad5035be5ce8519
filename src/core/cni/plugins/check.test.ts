import { describe, expect, test } from 'vitest';
import type { KernelObject } from '#core/kernel/index.ts';
import { cniEnvironment, nodeFacts, planAddOn } from '#testing/cni/index.ts';
import { encodeResult } from '../spec/encode.ts';
import { parseNetworkConfig } from '../spec/network-config.ts';
import { checkAttachment, linksToCollect } from './check.ts';

const config = { cniVersion: '1.1.0', name: 'pods', type: 'poplin' };

/** A check of an attachment after `change` was done to its namespaces. */
async function check(change: (objects: readonly KernelObject[]) => readonly KernelObject[]): Promise<void> {
  const { result, hostObjects, podObjects } = await planAddOn('poplin', config, nodeFacts());
  const prevResult = encodeResult(result, '1.1.0');
  checkAttachment({
    network: parseNetworkConfig({ ...config, prevResult }),
    environment: cniEnvironment({ command: 'CHECK' }),
    facts: nodeFacts({}, change(hostObjects), change(podObjects)),
  });
}

const without = (kind: string, text: string) => (objects: readonly KernelObject[]) =>
  objects.filter((object) => object.kind !== kind || !JSON.stringify(object).includes(text));

describe('CHECK', () => {
  test('right after ADD finds everything in place', async () => {
    await expect(check((objects) => objects)).resolves.toBeUndefined();
  });

  test.each([
    ['link', 'eth0"', 'interface eth0 is missing in /run/netns/pod1'],
    ['link', '"pop', 'interface pop38f60084656 is missing on the host'],
    ['address', '10.244.1.2', 'address 10.244.1.2/32 is missing on eth0'],
    ['route', '::/0', 'route ::/0 table 254 metric 1024 is missing'],
  ])('misses a %s (%s)', async (kind, text, problem) => {
    await expect(check(without(kind, text))).rejects.toThrow(problem);
  });

  test('sees a changed MAC address and a link that is down', async () => {
    const changed = check((objects) =>
      objects.map((object) =>
        object.kind === 'link' ? { ...object, mac: '02:00:00:00:00:99', up: false } : object,
      ),
    );
    await expect(changed).rejects.toMatchObject({
      code: 114,
      msg: 'container c1 is not as ADD left it',
      details: expect.stringMatching(/has MAC 02:00:00:00:00:99, not ee:.*is down.*has MAC.*is down/),
    });
  });

  test('needs prevResult, and an interface of this container in it', () => {
    const call = { environment: cniEnvironment(), facts: nodeFacts() };
    expect(() => checkAttachment({ network: parseNetworkConfig(config), ...call })).toThrow(
      'required prevResult missing',
    );
    const network = parseNetworkConfig({ ...config, prevResult: { ips: [] } });
    expect(() => checkAttachment({ network, ...call })).toThrow(
      'prevResult has no interface in /run/netns/pod1',
    );
  });
});

test('GC removes the links of attachments that are not valid any more', async () => {
  const { hostObjects } = await planAddOn('poplin', config, nodeFacts());
  const { host } = nodeFacts({}, hostObjects);
  const gc = (valid?: { containerID: string; ifname: string }[]) =>
    linksToCollect(
      parseNetworkConfig({ ...config, ...(valid && { 'cni.dev/valid-attachments': valid }) }),
      host,
    );
  expect(gc([{ containerID: 'c1', ifname: 'eth0' }])).toEqual([]);
  expect(gc([])).toEqual(hostObjects.slice(0, 1));
  expect(gc()).toEqual([]);
});
