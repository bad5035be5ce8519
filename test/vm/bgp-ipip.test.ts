/** Calico's pools with IP in IP, which other kernels lack: BGP between real agents in two racks, and every pair probed with real packets. */
import { expect, test } from 'vitest';
import type { MatrixReport } from '#app/lab/index.ts';
import { PrivateHost } from '../e2e/lab-host.ts';

const TOPOLOGY = {
  name: 'ipip',
  subnets: {
    a: { ipv4: '192.168.51.0/24' },
    b: { ipv4: '192.168.52.0/24' },
  },
  nodes: { node1: { subnet: 'a' }, node2: { subnet: 'a' }, node3: { subnet: 'b' } },
  pods: 1,
  network: { Network: '10.42.0.0/16', Backend: { Type: 'alloc' } },
  bgp: [
    { kind: 'BGPConfiguration', metadata: { name: 'default' }, spec: {} },
    { kind: 'IPPool', metadata: { name: 'pods' }, spec: { cidr: '10.42.0.0/16', ipipMode: 'CrossSubnet' } },
  ].map((object) => ({ apiVersion: 'projectcalico.org/v3', ...object })),
};

test('IP in IP connects pods across a router, and only there', async () => {
  await using host = await PrivateHost.open();
  const topology = '/tmp/topology.yaml';
  await host.run([
    'node',
    '-e',
    'fs.writeFileSync(process.argv[1], process.argv[2])',
    topology,
    JSON.stringify(TOPOLOGY),
  ]);
  // The module brings a device of its own into every namespace.
  await host.run(['modprobe', 'ipip']);
  const before = await host.state();
  const up = await host.poplin('lab', 'up', topology);
  expect(up.code, up.stderr).toBe(0);
  const matrix = await host.poplin('lab', 'matrix', '--json');
  const { pairs, ...summary } = JSON.parse(matrix.stdout) as MatrixReport;
  expect(pairs.filter(({ passed }) => !passed)).toEqual([]);
  expect(summary.natFree).toBe(true);

  const { stdout: routes } = await host.poplin(
    'lab',
    'exec',
    'node1',
    '--',
    'ip',
    'route',
    'show',
    'proto',
    '116',
  );
  expect(routes).toMatch(/^10\.42\.\d+\.0\/24 via 192\.168\.52\.11 dev ipip\.poplin metric 1024 onlink/m);
  expect(routes).toMatch(/^10\.42\.\d+\.0\/24 via 192\.168\.51\.12 dev eth0 metric 1024/m);
  const { stdout: link } = await host.poplin(
    'lab',
    'exec',
    'node1',
    '--',
    'ip',
    '-j',
    '-s',
    'link',
    'show',
    'ipip.poplin',
  );
  const [shown] = JSON.parse(link) as [{ mtu: number; stats64: Record<'rx' | 'tx', { packets: number }> }];
  expect(shown.mtu).toBe(1480);
  expect(Math.min(shown.stats64.rx.packets, shown.stats64.tx.packets)).toBeGreaterThan(0);
  expect(await host.poplin('lab', 'down')).toMatchObject({ code: 0 });
  expect(await host.state()).toBe(before);
});
