/** Policies that somebody applies to a lab that is up: the matrix knows them, and the packets obey. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MatrixReport } from '#app/lab/index.ts';
import { toolPath } from '../../tools/kube-tools.ts';
import { inTree, POPLIN, PrivateHost } from './lab-host.ts';

const TOPOLOGY = `
name: policies
nodes: 2
pods:
  a: { node: node1, network: bridge, labels: { role: db } }
  b: { node: node1, network: bridge }
  c: { node: node2, namespace: other }
policies: []
`;
const CLOSED = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: closed, namespace: default }
spec: { podSelector: { matchLabels: { role: db } } }
`;
const CALICO = `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: only-c }
spec:
  order: 1
  selector: role == 'db'
  ingress:
  - { action: Allow, protocol: UDP, source: { namespaceSelector: "kubernetes.io/metadata.name == 'other'" }, destination: { ports: [7117] } }
`;

let host: PrivateHost;
beforeAll(async () => {
  host = await PrivateHost.open();
});
afterAll(() => host[Symbol.asyncDispose]());

test.each([false, true])(
  'are obeyed in both families, on a bridge too (ordinary user: %s)',
  async (ordinary) => {
    const path = `/tmp/policies-${ordinary}.yaml`;
    await host.run(['tee', path], { input: TOPOLOGY });
    const run = (args: readonly string[], input?: string) =>
      host.run([...POPLIN, 'lab', ...args], { ordinary, ...(input !== undefined && { input }) });
    const kubectl = (verb: string, text: string) =>
      run(['exec', 'fabric', '--', inTree(toolPath('kubectl')), verb, '-f', '-'], text);
    const matrix = async () => {
      const { code, stdout, stderr } = await run(['matrix', '--json']);
      const { pairs, denied } = JSON.parse(stdout) as MatrixReport;
      const failed = pairs.filter(({ passed }) => !passed);
      expect({ code, stderr, failed }).toEqual({ code: 0, stderr: '', failed: [] });
      const names = pairs
        .filter(({ expected }) => expected === 'denied')
        .map(({ from, to }) => `${from} ${to}`);
      expect(names).toHaveLength(denied);
      return [...new Set(names)];
    };

    expect(await run(['up', path])).toMatchObject({ code: 0 });
    expect(await matrix()).toEqual([]);
    expect(await kubectl('apply', CLOSED)).toMatchObject({ stderr: '', code: 0 });
    expect(await matrix()).toEqual(['b a', 'c a', 'node2 a']);
    expect(await kubectl('apply', CALICO)).toMatchObject({ code: 0 });
    expect(await matrix()).toEqual(['b a', 'node2 a']);
    for (const text of [CLOSED, CALICO]) expect(await kubectl('delete', text)).toMatchObject({ code: 0 });
    expect(await matrix()).toEqual([]);
    expect(await run(['down'])).toMatchObject({ code: 0 });
    // kubectl's, of this user.
    await host.run(['rm', '-rf', '/tmp/.kube']);
  },
);
