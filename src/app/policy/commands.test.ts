/** The commands on the example of docs/policy.md, by what they print. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { policyCommands } from './commands.ts';

const EXAMPLES = join(import.meta.dirname, '../../../docs/examples/policy');
const [CLUSTER, POLICIES] = ['cluster.yaml', 'policies.yaml'].map((name) => join(EXAMPLES, name)) as [
  string,
  string,
];

let out: string;
let err: string;
beforeEach(() => {
  [out, err] = ['', ''];
  const taking = (take: (text: string) => void) => (text: string | Uint8Array) => {
    take(String(text));
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(taking((text) => (out += text)));
  vi.spyOn(process.stderr, 'write').mockImplementation(taking((text) => (err += text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

/** The exit status. */
async function run(...args: string[]): Promise<number> {
  process.exitCode = undefined;
  await policyCommands().parseAsync([...args, '--from', CLUSTER, POLICIES], { from: 'user' });
  const status = (process.exitCode as number | undefined) ?? 0;
  process.exitCode = undefined;
  return status;
}

describe('poplin policy', () => {
  test('explains a flow in both families and both directions', async () => {
    expect(await run('explain', 'shop/web', 'shop/db:pg')).toBe(0);
    expect(out).toContain(`ALLOWED  shop/web (10.1.1.2) ──tcp 5432──▶ shop/db (10.1.2.2)
  ✓ egress of shop/web
    └ no policy decides: allowed
  ✓ ingress of shop/db
    ├ tier kube-admin: no rule of ClusterNetworkPolicy monitoring matches: pass
    └ tier default: NetworkPolicy shop/db ingress[0].from[0]: allow
`);
    expect(out).toContain('ALLOWED  shop/web (fd01:1::2) ──tcp 5432──▶ shop/db (fd01:2::2)');
    expect(await run('explain', 'shop/db', '192.0.2.7:443/tcp')).toBe(1);
    expect(await run('explain', 'monitoring/prom', 'shop/db/icmp')).toBe(0);
    expect(out).toContain('ClusterNetworkPolicy monitoring ingress[0].from[0] "scrape": allow');
  });

  test('says why a rule with names did not match', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dns-explain-'));
    const [policy, names] = [join(folder, 'names.yaml'), join(folder, 'names')];
    const keptMs = Date.now();
    const until = keptMs + 60_000;
    writeFileSync(
      policy,
      `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress:
  - {name: two, action: Accept, to: [{domainNames: [db.example.com]}, {domainNames: ["*.example.net"]}]}
  - {name: rest, action: Deny, to: [{networks: [0.0.0.0/0]}]}
`,
    );
    writeFileSync(names, JSON.stringify({ keptMs, names: [['a.b.example.net', [['192.0.2.1', until]]]] }));
    const ask = async (address: string, ...more: string[]) => {
      out = '';
      const status = await run('explain', 'shop/web', `${address}:443`, ...more, '--from', CLUSTER, policy);
      return [status, out.match(/ · .*/g) ?? []];
    };
    const [first, second] = [
      'egress[0].to[0] is about db.example.com',
      'egress[0].to[1] is about *.example.net',
    ].map((text) => ` · ClusterNetworkPolicy names ${text}`);
    expect(await ask('192.0.2.2')).toEqual([
      1,
      [first, second].map((line) => `${line}: what answers said is not known here (--names)`),
    ]);
    expect(await ask('192.0.2.2', '--names', names)).toEqual([
      1,
      [`${first}: no answer for it was seen on this node`, `${second}: answers said 192.0.2.1`],
    ]);
    // It is the second name's, and so nothing is asked about behind it.
    expect(await ask('192.0.2.1', '--names', names)).toEqual([
      0,
      [`${first}: no answer for it was seen on this node`],
    ]);
    expect(await ask('192.0.2.1', '--names', join(folder, 'none'))).toEqual([2, []]);
    expect(err).toContain('none is not there');
    rmSync(folder, { recursive: true });
  });

  test('gives the same as JSON', async () => {
    await run('explain', 'shop/db', 'shop/web:http', '--json');
    expect(JSON.parse(out)).toMatchObject([
      {
        flow: { source: '10.1.2.2', destination: '10.1.1.2', destinationPort: 8080 },
        verdict: { action: 'deny', egress: { action: 'deny' }, ingress: { action: 'allow' } },
      },
      { flow: { source: 'fd01:2::2' }, verdict: { action: 'deny' } },
    ]);
  });

  test.each<[string, string, string]>([
    ['shop/nobody', 'shop/db:1', 'there is no pod shop/nobody in the network'],
    ['shop/web', 'shop/db:http', '"http" is no port, and shop/db has none of that name for tcp'],
    ['shop/web', 'shop/db', '"shop/db" is no destination: NAMESPACE/POD:PORT/PROTOCOL'],
    ['a b', 'shop/db:1', '"a b" is neither NAMESPACE/POD nor an address'],
    ['10.0.0.1', '[fd00::1]:80', 'have no family of addresses in common'],
  ])('says what is wrong with %s to %s', async (source, destination, message) => {
    expect(await run('explain', source, destination)).toBe(2);
    expect(err).toContain(message);
  });

  test('draws who reaches whom', async () => {
    expect(await run('matrix', '--port', '5432')).toBe(0);
    expect(out).toBe(`port 5432/tcp: rows to columns
                   1 2 3
1 monitoring/prom  · ● ●
2 shop/db          ○ · ○
3 shop/web         ● ● ·
`);
  });

  test('tells what a file would change, applied and deleted', async () => {
    const deny = join(EXAMPLES, 'deny-all.yaml');
    expect(await run('what-if', '-f', deny, '--outside', '192.0.2.7', '--port', '80', '--json')).toBe(0);
    expect(JSON.parse(out)).toEqual([
      {
        sources: ['192.0.2.7'],
        destinations: ['pod shop/web'],
        port: '80/tcp',
        before: 'allow',
        after: 'deny',
      },
    ]);
    out = '';
    await run('what-if', '-f', POLICIES, '--delete', '--port', '22');
    expect(out).toMatch(/deny → allow +22\/tcp +shop\/web +→ +shop\/db/);
  });

  test('finds what is worth a look', async () => {
    expect(await run('lint', '--json')).toBe(1);
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ code: 'dns-blocked', policy: 'NetworkPolicy shop/db', severity: 'warning' }),
    );
  });

  test('checks expectations, and shows why one is not met', async () => {
    expect(await run('test', join(EXAMPLES, 'expected.yaml'))).toBe(0);
    expect(out).toMatch(/^4 passed, 0 failed$/m);
    expect(await run('test', POLICIES)).toBe(2);
    expect(err).toContain('policies.yaml');
  });

  test('names objects that cannot be used, and goes on without them', async () => {
    const text = readFileSync(POLICIES, 'utf8')
      .replace('- port: pg', '- port: 70000')
      .replace('{port: pg}', '{port: 70000}');
    const { clusterOf, problemLines } = await import('./objects.ts');
    const { parseAllDocuments } = await import('yaml');
    const cluster = clusterOf(parseAllDocuments(text).map((each) => each.toJS() as never));
    expect(problemLines(cluster.problems())).toEqual([
      'NetworkPolicy shop/db: spec.ingress[0].ports[0].port: 70000 is no port: 1 to 65535 (the object is not used)',
    ]);
  });
});
