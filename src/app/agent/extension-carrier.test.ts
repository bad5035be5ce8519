import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExtensionConfig, NetConf } from '#core/lease/index.ts';
import type { RemoteSubnet } from '#core/overlay/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { ExtensionCarrier, prepareExtension } from './extension-carrier.ts';

const REMOTES: readonly RemoteSubnet[] = [
  { node: 'b', family: 4, subnet: '10.1.2.0/24', publicIp: '192.0.2.2', backendData: 'from b' },
  { node: 'b', family: 6, subnet: 'fd10:0:0:2::/64', publicIp: '2001:db8::2', backendData: { a: 1 } },
];

describe('the extension backend', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-extension-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const log = () => readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
  const command = (label: string) =>
    `echo "${label} $NETWORK $IPV6NETWORK $SUBNET $PUBLIC_IP $IPV6SUBNET $PUBLIC_IPV6 <$(cat)>" >> ${folder}/log`;
  const configOf = (change: Partial<ExtensionConfig> = {}): ExtensionConfig => ({
    type: 'extension',
    preStartupCommand: 'printf "to all"',
    postStartupCommand: command('post'),
    subnetAddCommand: command('add'),
    subnetRemoveCommand: command('remove'),
    ...change,
  });
  const carrierOf = (config: ExtensionConfig) =>
    new ExtensionCarrier({
      config,
      netConf: {
        ipv4: { network: '10.1.0.0/16' },
        ipv6: { network: 'fd10::/48' },
      } as NetConf,
      clock: systemClock,
      random: () => 0,
      logger: pino({ level: 'silent' }),
    });
  const until = async (check: () => boolean) => {
    for (const end = Date.now() + 10_000; !check(); ) {
      if (Date.now() > end) throw new Error('waited in vain');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('runs each command with its environment and input, once for each change', async () => {
    expect(await prepareExtension(configOf(), new AbortController().signal)).toBe('to all');
    await using carrier = carrierOf(configOf());
    const local = { node: 'a', family: 4, subnet: '10.1.1.0/24', publicIp: '192.0.2.1' } as const;
    await carrier.local([local]);
    await carrier.local([local]);
    const [first, second] = REMOTES as [RemoteSubnet, RemoteSubnet];
    for (const remote of [first, second, first]) carrier.upsert(remote.node + remote.family, remote);
    await until(() => log().length === 3);
    carrier.remove('b4');
    carrier.remove('never there');
    await until(() => log().length === 4);
    expect(log()).toEqual([
      'post 10.1.0.0/16 fd10::/48 10.1.1.0/24 192.0.2.1   <>',
      'add   10.1.2.0/24 192.0.2.2   <from b>',
      'add     fd10:0:0:2::/64 2001:db8::2 <{"a":1}>',
      'remove   10.1.2.0/24 192.0.2.2   <from b>',
    ]);
  });

  it('names a command that fails, with what it said, and tries again', async () => {
    const flag = join(folder, 'flag');
    await using carrier = carrierOf(
      configOf({
        subnetAddCommand: `test -e ${flag} || { echo no flag >&2; exit 3; }; ${command('add')}`,
      }),
    );
    carrier.upsert('b', REMOTES[0] as RemoteSubnet);
    await until(() => carrier.problemTexts().length > 0);
    expect(carrier.problemTexts()).toEqual(['SubnetAddCommand for 10.1.2.0/24: exit status 3: no flag']);
    writeFileSync(flag, '');
    await until(() => carrier.problemTexts().length === 0);
    expect(log()).toHaveLength(1);
  });

  it('tries PostStartupCommand until it succeeds, and names PreStartupCommand when it fails', async () => {
    const flag = join(folder, 'flag');
    await using carrier = carrierOf(configOf({ postStartupCommand: `test -e ${flag}` }));
    const started = carrier.local([{ node: 'a', family: 4, subnet: '10.1.1.0/24', publicIp: '192.0.2.1' }]);
    await until(() => carrier.problemTexts().length > 0);
    expect(carrier.problemTexts()).toEqual(['PostStartupCommand: exit status 1: ']);
    writeFileSync(flag, '');
    await started;
    expect(carrier.problemTexts()).toEqual([]);
    const failing = configOf({ preStartupCommand: 'echo no >&2; exit 4' });
    await expect(prepareExtension(failing, new AbortController().signal)).rejects.toThrow(
      'Backend.PreStartupCommand: exit status 4: no',
    );
  });

  it('makes no part of a command out of what others say', async () => {
    await using carrier = carrierOf(configOf());
    carrier.upsert('b', { ...(REMOTES[0] as RemoteSubnet), backendData: '$(touch x); `id`' });
    await until(() => carrier.problemTexts().length === 0 && existsLog());
    expect(log()).toEqual(['add   10.1.2.0/24 192.0.2.2   <$(touch x); `id`>']);
    function existsLog(): boolean {
      try {
        return log()[0] !== ''; // the shell makes the file before it writes
      } catch {
        return false;
      }
    }
  });
});
