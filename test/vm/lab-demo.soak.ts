/** The demonstration on a stock kernel: three agents, an overlay in both families, and every pair probed with real packets. Elsewhere test/e2e/demo.test.ts has it. */
import { expect, test } from 'vitest';
import { POPLIN, PrivateHost } from '../e2e/lab-host.ts';

test('the demonstration proves all pairs and leaves the host as it was', async () => {
  await using host = await PrivateHost.open();
  const before = await host.state();
  const { code, stdout, stderr } = await host.run([...POPLIN, 'lab', 'demo', '--once', '--json']);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    nodes: 3,
    pods: 6,
    podToPod: { passed: 60, failed: 0 },
    podToNode: { passed: 36, failed: 0 },
    nodeToPod: { passed: 36, failed: 0 },
    natFree: true,
    cleanup: 'exact',
  });
  expect(host.processes()).toEqual([]);
  expect(await host.state()).toBe(before);
});
