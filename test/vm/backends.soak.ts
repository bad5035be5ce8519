/**
 * Backends that other kernels lack, with real agents: two racks with a router between them, both families, and every pair of pods and nodes
 * probed with real packets. The life of a node (restart, outage, reboot) is in backend-ipip.test.ts and backend-wireguard.test.ts.
 */
import { expect, test } from 'vitest';
import type { MatrixReport } from '#app/lab/index.ts';
import { PrivateHost } from '../e2e/lab-host.ts';

const BACKENDS = [
  { Type: 'ipip' },
  { Type: 'wireguard', PersistentKeepaliveInterval: 25 },
  { Type: 'ipip', DirectRouting: true },
  { Type: 'wireguard', Mode: 'ipv6', PSK: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' },
] as const;

test.for(BACKENDS)('%o connects pods and nodes, across a router too', async (backend) => {
  await using host = await PrivateHost.open();
  const topology = '/tmp/topology.yaml';
  const text = JSON.stringify(topologyOf(backend));
  await host.run(['node', '-e', 'fs.writeFileSync(process.argv[1], process.argv[2])', topology, text]);
  // The modules bring devices of their own into every namespace.
  await host.run(['modprobe', '-a', 'ipip', 'ip6_tunnel']);
  const before = await host.state();
  const up = await host.poplin('lab', 'up', topology);
  expect(up.code, up.stderr).toBe(0);
  const { stdout } = await host.poplin('lab', 'matrix', '--json');
  const { pairs: _, ...summary } = JSON.parse(stdout) as MatrixReport;
  expect(summary).toMatchObject({
    podToPod: { failed: 0 },
    podToNode: { failed: 0 },
    nodeToPod: { failed: 0 },
    natFree: true,
  });
  expect(summary.podToPod.passed).toBeGreaterThanOrEqual(12);
  expect(await host.poplin('lab', 'down')).toMatchObject({ code: 0 });
  expect(await host.state()).toBe(before);
});

function topologyOf(backend: object): object {
  return {
    name: 'backends',
    subnets: {
      a: { ipv4: '192.168.51.0/24', ipv6: 'fd51:a::/64' },
      b: { ipv4: '192.168.52.0/24', ipv6: 'fd51:b::/64' },
    },
    nodes: { node1: { subnet: 'a' }, node2: { subnet: 'a' }, node3: { subnet: 'b' } },
    pods: 1,
    network: {
      Network: '10.42.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd42::/48',
      Backend: backend,
    },
  };
}
