/** Every topology of lab/topologies comes up, everybody in it reaches everybody in every family it has, and nothing of it is left. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MatrixReport, StatusReport } from '#app/lab/index.ts';
import { PrivateHost, TOPOLOGIES, TOPOLOGY_FILES } from './lab-host.ts';

/** Nodes, pods and families of each, and how many pairs its policies deny; a file that is not here fails. */
const EXPECTED: Readonly<Record<string, { nodes: number; pods: number; families: number; denied?: number }>> =
  {
    'big.yaml': { nodes: 10, pods: 50, families: 2 },
    'bgp-mesh.yaml': { nodes: 3, pods: 6, families: 2 },
    'bgp-pools.yaml': { nodes: 3, pods: 6, families: 2 },
    'bgp-reflectors.yaml': { nodes: 5, pods: 5, families: 2 },
    'bridge.yaml': { nodes: 3, pods: 5, families: 2 },
    'ipv4-only.yaml': { nodes: 3, pods: 6, families: 1 },
    'ipv6-only.yaml': { nodes: 3, pods: 6, families: 1 },
    'leaf-spine.yaml': { nodes: 6, pods: 6, families: 2 },
    'policy.yaml': { nodes: 3, pods: 6, families: 2, denied: 25 },
    'single-node.yaml': { nodes: 1, pods: 4, families: 2 },
    'two-racks.yaml': { nodes: 3, pods: 6, families: 2 },
  };

let host: PrivateHost;

beforeAll(async () => {
  host = await PrivateHost.open();
});

afterAll(() => host[Symbol.asyncDispose]());

test('all of the examples are tested', () => {
  expect(TOPOLOGY_FILES).toEqual(Object.keys(EXPECTED).toSorted());
});

test.each(Object.entries(EXPECTED))('%s comes up, passes its matrix and goes', async (file, expected) => {
  const before = await host.state();
  const { nodes, pods, families, denied = 0 } = expected;
  const started = performance.now();
  expect(await host.poplin('lab', 'up', join(TOPOLOGIES, file))).toMatchObject({ code: 0 });
  const upMs = performance.now() - started;

  const asked = performance.now();
  const matrix = await host.poplin('lab', 'matrix', '--json');
  const matrixMs = performance.now() - asked;
  const { pairs, ...summary } = JSON.parse(matrix.stdout) as MatrixReport;
  expect(summary).toEqual({
    podToPod: { passed: pods * (pods - 1) * families, failed: 0 },
    podToNode: { passed: pods * nodes * families, failed: 0 },
    nodeToPod: { passed: pods * nodes * families, failed: 0 },
    denied: denied * families,
    natFree: true,
  });
  expect(matrix.code).toBe(0);

  const status = await host.poplin('lab', 'status', '--json');
  const report = JSON.parse(status.stdout) as StatusReport;
  expect(report).toMatchObject({ ready: true, rootless: false });
  const memory = report.nodes.map(({ agent }) => agent?.memoryMb);
  console.log(
    `${file}: up in ${upMs.toFixed(0)} ms, ${pairs.length} probes in ${matrixMs.toFixed(0)} ms, agents of ${memory.join(' ')} MB`,
  );

  expect(await host.poplin('lab', 'down')).toMatchObject({ code: 0 });
  expect(host.processes()).toEqual([]);
  expect(await host.state()).toBe(before);
});
