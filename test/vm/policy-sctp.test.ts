/** Policies of SCTP with real sockets, which the kernel that tests run on elsewhere has not: packets of it are tried in the kernel tier. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hostPrefixOf } from '#base/ip/index.ts';
import { DesiredState, POLICY, plan } from '#core/kernel/index.ts';
import { POLICY_PART, PolicyCluster, PolicyCompiler } from '#core/policy/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNamespace } from '../kernel/ip.ts';
import { NamespaceFolder } from '../kernel/namespace-folder.ts';

const PODS = {
  server: { link: 'pod2', 4: '10.1.1.2', 6: 'fd01:1::2' },
  client: { link: 'pod3', 4: '10.1.1.3', 6: 'fd01:1::3' },
} as const;
const OPEN = 3868;
const SHUT = 3869;

const SERVE = `
import socket, sys
for family in (socket.AF_INET, socket.AF_INET6):
    for port in (${OPEN}, ${SHUT}):
        s = socket.socket(family, socket.SOCK_STREAM, 132)
        if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(('', port)); s.listen(16); globals()[str((family, port))] = s
print('listening', flush=True)
sys.stdin.read()
`;
const ASK = `
import socket, sys
address, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM, 132)
s.settimeout(3)
s.connect((address, port))
`;

const folder = new NamespaceFolder('sctp');
const node = folder.make('node');
const server = folder.make('server');
const client = folder.make('client');
let kernel: RealKernel;
let listening: ReturnType<typeof spawn>;

const sh = (netns: string, script: string): string => inNamespace(netns, 'sh', '-ec', script);

function lay(): void {
  sh(node.path, 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
  for (const [pod, { link, 4: ipv4, 6: ipv6 }] of [
    [server, PODS.server],
    [client, PODS.client],
  ] as const) {
    sh(
      node.path,
      `ip link add ${link} type veth peer name eth0 netns ${pod.path}
       ip addr add 169.254.1.1/32 dev ${link}; ip addr add fe80::1/64 dev ${link} nodad
       ip link set ${link} up; ip route add ${ipv4} dev ${link}; ip route add ${ipv6} dev ${link}`,
    );
    sh(
      pod.path,
      `ip link set lo up; ip link set eth0 up
       ip addr add ${ipv4}/32 dev eth0; ip addr add ${ipv6}/128 dev eth0 nodad
       ip route add 169.254.1.1 dev eth0; ip route add default via 169.254.1.1
       ip -6 route add default via fe80::1 dev eth0`,
    );
  }
}

/** What an agent would have in the kernel. */
async function enforce(): Promise<void> {
  const cluster = new PolicyCluster();
  const compiler = new PolicyCompiler({ bridge: 'none', flows: false });
  const pod = (name: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: { app: name } },
    spec: { nodeName: 'n', containers: [] },
    status: { phase: 'Running' },
  });
  cluster.upsert({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'sctp', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: 'server' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'client' } } }],
          ports: [{ protocol: 'SCTP', port: OPEN }],
        },
      ],
    },
  });
  for (const name of ['server', 'client'] as const) {
    const { link, 4: ipv4, 6: ipv6 } = PODS[name];
    const key = `pod shop/${name}`;
    cluster.upsert(pod(name));
    cluster.attach(key, [ipv4, ipv6].map(hostPrefixOf));
    compiler.setEndpoint({ key, addresses: [ipv4, ipv6], link }, 'closed');
  }
  compiler.apply(cluster.graph.takeDelta());
  const desired = new DesiredState();
  desired.amend(POLICY_PART, compiler.takeAmendment());
  const { ops } = plan(desired.state, kernel.state(), { owners: [POLICY] });
  expect((await kernel.apply(ops)).failures).toEqual([]);
}

beforeAll(async () => {
  lay();
  kernel = RealKernel.open(node, { owners: [POLICY] });
  listening = spawn('nsenter', [`--net=${server.path}`, 'python3', '-c', SERVE], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve) => listening.stdout?.once('data', () => resolve()));
}, 60_000);
afterAll(() => {
  listening?.kill();
  kernel?.[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function connects(address: string, port: number): boolean {
  try {
    inNamespace(client.path, 'python3', '-c', ASK, address, String(port));
    return true;
  } catch {
    return false;
  }
}

describe.each([4, 6] as const)('over IPv%i', (family) => {
  test('associations come about where nothing forbids them, and then only where a policy allows them', async () => {
    const address = PODS.server[family];
    if (family === 4)
      for (const port of [OPEN, SHUT])
        await vi.waitFor(() => expect(connects(address, port)).toBe(true), { timeout: 20_000 });
    await enforce();
    expect(connects(address, OPEN)).toBe(true);
    expect(connects(address, SHUT)).toBe(false);
  }, 120_000);
});
