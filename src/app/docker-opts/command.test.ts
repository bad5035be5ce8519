import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { dockerOptsCommand } from './command.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.3.1/24
FLANNEL_IPV6_NETWORK=fd00:10:244::/48
FLANNEL_IPV6_SUBNET=fd00:10:244:3::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`;
const BIP = 'DOCKER_OPT_BIP="--bip=10.244.3.1/24"\n';
const IPMASQ = 'DOCKER_OPT_IPMASQ="--ip-masq=false"\n';
const IPV6 = 'DOCKER_OPT_IPV6="--ipv6 --fixed-cidr-v6=fd00:10:244:3::/64"\n';
const MTU = 'DOCKER_OPT_MTU="--mtu=1430"\n';

let folder: string;
const printed = { stdout: '', stderr: '' };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-docker-opts-'));
  writeFileSync(join(folder, 'subnet.env'), SUBNET_ENV);
  for (const stream of ['stdout', 'stderr'] as const) {
    printed[stream] = '';
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** The exit status; `docker.env` is the file to write unless the arguments name another. */
async function run(...args: string[]): Promise<number> {
  const own = ['-f', join(folder, 'subnet.env'), '-d', join(folder, 'docker.env')];
  try {
    await dockerOptsCommand().parseAsync([...own, ...args], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } finally {
    process.exitCode = undefined;
  }
}

const written = () => readFileSync(join(folder, 'docker.env'), 'utf8');

// What flannel's mk-docker-opts.sh writes with the same flags, but for --ipv6, which it does not have.
test.each<[string[], string]>([
  [[], `${BIP}${IPMASQ}${MTU}DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1430"\n`],
  [['-i'], `${BIP}${IPMASQ}${MTU}`],
  [['-c'], 'DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1430"\n'],
  [['-ic', '-k', 'NET'], `${BIP}${IPMASQ}${MTU}NET=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1430"\n`],
  [['-m'], `${BIP}${MTU}DOCKER_OPTS=" --bip=10.244.3.1/24 --mtu=1430"\n`],
  [['-mckNET'], 'NET=" --bip=10.244.3.1/24 --mtu=1430"\n'],
  [['-i', '--ipv6'], `${BIP}${IPMASQ}${IPV6}${MTU}`],
])('%j writes the file whole, and nothing beside it', async (args, text) => {
  writeFileSync(
    join(folder, 'docker.env'),
    'what was there before, and is longer than what comes\n'.repeat(20),
  );
  expect(await run(...args)).toBe(0);
  expect(written()).toBe(text);
  expect(readdirSync(folder).sort()).toEqual(['docker.env', 'subnet.env']);
  expect(printed).toEqual({ stdout: '', stderr: '' });
});

test('what the variable holds already is not said again: the unit that reads the file has it from the start before', async () => {
  vi.stubEnv('DOCKER_OPTS', '--bip=10.244.3.1/24 --debug');
  vi.stubEnv('DOCKER_OPT_MTU', '--mtu=9000');
  expect(await run('-c')).toBe(0);
  vi.unstubAllEnvs();
  expect(written()).toBe('DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1430"\n');
});

test('"-d -" and --json print, and write no file', async () => {
  expect(await run('-c', '-d', '-')).toBe(0);
  expect(printed.stdout).toBe('DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1430"\n');
  printed.stdout = '';
  expect(await run('--json', '--ipv6')).toBe(0);
  expect(JSON.parse(printed.stdout)).toEqual({
    DOCKER_OPT_BIP: '--bip=10.244.3.1/24',
    DOCKER_OPT_IPMASQ: '--ip-masq=false',
    DOCKER_OPT_IPV6: '--ipv6 --fixed-cidr-v6=fd00:10:244:3::/64',
    DOCKER_OPT_MTU: '--mtu=1430',
  });
  expect(readdirSync(folder)).toEqual(['subnet.env']);
});

test.each<[string, () => void, string[], RegExp]>([
  [
    'no subnet.env',
    () => rmSync(join(folder, 'subnet.env')),
    [],
    /subnet\.env is not there: .*poplin status/,
  ],
  [
    'a subnet.env that says something else',
    () => writeFileSync(join(folder, 'subnet.env'), SUBNET_ENV.replace('1430', 'many')),
    [],
    /subnet\.env: FLANNEL_MTU is "many"/,
  ],
  ['a name that is none', () => undefined, ['-k', 'A B'], /"A B" is no name of a variable/],
  [
    'an IPv6 subnet that the node does not have',
    () => writeFileSync(join(folder, 'subnet.env'), SUBNET_ENV.replaceAll(/^FLANNEL_IPV6.*\n/gm, '')),
    ['--ipv6'],
    /no IPv6 subnet/,
  ],
  [
    'a folder in the way',
    () => mkdirSync(join(folder, 'docker.env', 'x'), { recursive: true }),
    [],
    /docker\.env/,
  ],
])('%s: status 1, the reason in one line, and what was there stays', async (_name, spoil, args, message) => {
  writeFileSync(join(folder, 'docker.env.before'), '');
  spoil();
  expect(await run(...args)).toBe(1);
  expect(printed.stderr).toMatch(/^poplin docker-opts: .*\n$/);
  expect(printed.stderr).toMatch(message);
  expect(printed.stdout).toBe('');
  expect(readdirSync(folder).filter((name) => !/^(subnet\.env|docker\.env(\.before)?)$/.test(name))).toEqual(
    [],
  );
});
