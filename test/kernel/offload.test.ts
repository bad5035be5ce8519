/** Checksum offload on the running kernel: features, the experiment, the decision carried out, and the keeper. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IpFamily, ipBytes } from '#base/ip/index.ts';
import {
  type KernelFindings,
  PROBE_UNDERLAY,
  probeLinkName,
  probeVtep,
  type Verdict,
} from '#core/offload/index.ts';
import { type PodKernel, RealKernel } from '#io/kernel/index.ts';
import {
  applyChecksumOffload,
  driverOf,
  featuresByIoctl,
  kernelFindings,
  OffloadKeeper,
  probeKernel,
  readFeatures,
  setFeature,
  switchByIoctl,
} from '#io/offload/index.ts';
import { FEATURE, OffloadWorld, openHandles, ownLinks } from './offload-world.ts';

const SOUND: Verdict = { verdict: 'sound' };
const BROKEN: Verdict = { verdict: 'broken', text: 'refused' };
const finding = (overlay: Verdict): KernelFindings => ({
  4: { overlay, bare: BROKEN },
  6: { overlay: SOUND, bare: BROKEN },
});

const eventually = <T>(look: () => T) => expect.poll(look, { interval: 5, timeout: 20_000 });

let world: OffloadWorld;
beforeEach(async () => {
  world = new OffloadWorld();
  await world.addUnderlay();
});
afterEach(() => world[Symbol.dispose]());

describe('features', () => {
  const changeable = (features: ReturnType<typeof featuresByIoctl>) =>
    new Map([...features.changeable, ...features.active].map((name) => [name, features.active.has(name)]));
  const sorted = (features: ReadonlyMap<string, boolean>) => [...features].sort();

  it.each(['under0', 'flannel.1', 'lo'])(
    'of %s are those ethtool shows, by netlink and by ioctl',
    async (link) => {
      await world.addVxlan('flannel.1');
      const shown = sorted(world.features(link));
      expect(shown.length).toBeGreaterThan(5);
      expect(sorted(readFeatures(world.namespace, link))).toEqual(shown);
      expect(sorted(changeable(featuresByIoctl(world.namespace, link)))).toEqual(shown);
    },
  );

  it('are switched off and on, by netlink and by ioctl', async () => {
    await world.addVxlan('flannel.1');
    for (const change of [setFeature, switchByIoctl]) {
      change(world.namespace, 'flannel.1', FEATURE, false);
      expect(world.isOn('flannel.1')).toBe(false);
      change(world.namespace, 'flannel.1', FEATURE, true);
      expect(world.isOn('flannel.1')).toBe(true);
    }
  });

  it('that are fixed, unknown, or of a link that is not there cannot be switched', () => {
    const { namespace } = world;
    expect(() => setFeature(namespace, 'lo', FEATURE, false)).toThrow(
      /link lo: feature .* cannot be switched off/,
    );
    expect(() => setFeature(namespace, 'under0', 'tx-magic', true)).toThrow(/EINVAL|EOPNOTSUPP/);
    expect(() => switchByIoctl(namespace, 'under0', 'tx-magic', true)).toThrow(/knows no feature "tx-magic"/);
    for (const read of [readFeatures, featuresByIoctl, driverOf])
      expect(() => read(namespace, 'none0')).toThrow(/ENODEV|No such device/i);
  });

  it('come with the driver that ethtool names', async () => {
    await world.addVxlan('flannel.1');
    for (const link of ['under0', 'flannel.1'])
      expect(world.ethtool('-i', link)).toContain(`driver: ${driverOf(world.namespace, link)}\n`);
    expect(driverOf(world.namespace, 'lo')).toBeUndefined();
  });
});

describe('the experiment', () => {
  /** An nft match for outer packets whose inner checksum is yet to be filled in: it holds the sum of the pseudo-header alone. */
  const partial = (family: IpFamily) => {
    const udpBytes = 8 + 'poplin 000000000'.length;
    const addresses = [...ipBytes(probeVtep('sender', family)), ...ipBytes(probeVtep('receiver', family))];
    let sum = 17 + udpBytes;
    for (const [at, byte] of addresses.entries()) sum += at % 2 === 0 ? byte << 8 : byte;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    // Outer UDP, VXLAN, inner Ethernet and IP, and the way to the checksum in the inner UDP header.
    const offsetBytes = 8 + 8 + 14 + (family === 4 ? 20 : 40) + 6;
    return `meta nfproto ipv${family} udp dport 8472 @th,${offsetBytes * 8},16 ${sum}`;
  };
  const disturbed =
    (rules: string) =>
    ({ namespace }: PodKernel) => {
      const script = `table inet test {
      chain last { type filter hook postrouting priority 300\n ${rules}\n }
    }`;
      execFileSync('nsenter', [`--net=/proc/${process.pid}/fd/${namespace.fd}`, 'nft', '-f', '-'], {
        input: script,
      });
    };

  it('finds that packets of the overlay arrive, though the node masquerades, and says what would come of it bare', async () => {
    const findings = await probeKernel();
    expect(Object.keys(findings)).toEqual(['4', '6']);
    for (const { overlay, bare } of Object.values(findings)) {
      expect(overlay).toEqual(SOUND);
      expect(['sound', 'broken']).toContain(bare.verdict);
    }
  });

  it('calls a kernel broken that spoils the outer checksum of offloaded packets', async () => {
    const findings = await probeKernel({ disturb: disturbed(`${partial(4)} @th,48,16 set 0xffff`) });
    expect(findings[4]?.overlay).toEqual({
      verdict: 'broken',
      text: `refused for a bad checksum over IPv4 with ${FEATURE} on, arrived with it off`,
    });
    expect(findings[6]?.overlay).toEqual(SOUND);
  });

  it('calls a kernel broken that loses offloaded packets without a trace', async () => {
    const findings = await probeKernel({ deadlineMs: 100, disturb: disturbed(`${partial(6)} drop`) });
    expect(findings[4]?.overlay).toEqual(SOUND);
    expect(findings[6]?.overlay).toEqual({
      verdict: 'broken',
      text: `lost over IPv6 with ${FEATURE} on, arrived with it off`,
    });
  });

  it('does not blame offload where nothing arrives at all', async () => {
    const findings = await probeKernel({ deadlineMs: 50, disturb: disturbed('udp dport 8472 drop') });
    expect(findings[4]?.overlay.verdict).toBe('unknown');
    expect(findings[6]?.overlay.verdict).toBe('unknown');
  });

  it('knows nothing where it cannot be made', async () => {
    const disturb = () => {
      throw new Error('no such thing');
    };
    expect((await probeKernel({ disturb }))[4]?.overlay).toEqual({
      verdict: 'unknown',
      text: 'cannot probe: no such thing',
    });
  });

  it('judges IPv4 alone where IPv6 makes trouble', async () => {
    const findings = await probeKernel({
      disturb: (sender) => {
        if (sender.link(probeLinkName(6)) !== undefined) throw new Error('no IPv6 today');
      },
    });
    expect(findings[4]?.overlay).toEqual(SOUND);
    expect(findings[6]?.overlay).toEqual({ verdict: 'unknown', text: 'cannot probe: no IPv6 today' });
  });

  it('leaves no namespace and no link behind', async () => {
    const before = openHandles();
    await probeKernel();
    await probeKernel({ disturb: () => Promise.reject(new Error('broken off')) });
    expect(openHandles()).toEqual(before);
    for (const link of [PROBE_UNDERLAY, probeLinkName(4), probeLinkName(6)])
      expect(ownLinks()).not.toContain(link);
  });

  it('is made once for each boot', async () => {
    const { cacheFile, logger } = world;
    let probes = 0;
    const probe = () => Promise.resolve(++probes === 1 ? finding(SOUND) : finding(BROKEN));
    expect(await kernelFindings({ cacheFile, logger, probe })).toEqual(finding(SOUND));
    expect(await kernelFindings({ cacheFile, logger, probe })).toEqual(finding(SOUND));
    expect(probes).toBe(1);
    writeFileSync(cacheFile, readFileSync(cacheFile, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
    expect(await kernelFindings({ cacheFile, logger, probe })).toEqual(finding(BROKEN));
    writeFileSync(cacheFile, '{');
    await kernelFindings({ cacheFile, logger, probe });
    expect(probes).toBe(3);
    expect(statSync(cacheFile).isFile()).toBe(true);
  });

  it('that could not be made is made again', async () => {
    const { cacheFile, logger } = world;
    let probes = 0;
    const probe = () => {
      probes++;
      return Promise.resolve(finding({ verdict: 'unknown', text: 'busy' }));
    };
    await kernelFindings({ cacheFile, logger, probe });
    await kernelFindings({ cacheFile, logger, probe });
    expect(probes).toBe(2);
  });
});

describe('applyChecksumOffload', () => {
  const apply = (link: string, mode: 'auto' | 'on' | 'off', overlay: Verdict = SOUND) => {
    const { namespace, cacheFile, logger } = world;
    const findings = () => Promise.resolve(finding(overlay));
    return applyChecksumOffload({ namespace, link, mode, cacheFile, logger, findings });
  };

  it('switches off where the kernel is broken, once, by the outer family', async () => {
    await world.addVxlan('flannel.1');
    await world.addVxlan('flannel-v6.2', '2001:db8::1');
    const first = await apply('flannel.1', 'auto', BROKEN);
    expect(first).toEqual({ offload: false, reason: 'this kernel spoils offloaded packets: refused' });
    expect(world.isOn('flannel.1')).toBe(false);
    expect(await apply('flannel.1', 'auto', BROKEN)).toEqual(first);
    expect(world.log).toHaveLength(1);
    expect((await apply('flannel-v6.2', 'auto', BROKEN)).offload).toBe(true);
    expect(world.isOn('flannel-v6.2')).toBe(true);
  });

  it('does what the experiment says when nobody tells it otherwise', async () => {
    await world.addVxlan('flannel.1');
    const { namespace, cacheFile, logger } = world;
    const device = { namespace, link: 'flannel.1', cacheFile, logger, mode: 'auto' } as const;
    expect((await applyChecksumOffload(device)).offload).toBe(true);
    expect(world.isOn('flannel.1')).toBe(true);
    expect(JSON.parse(readFileSync(cacheFile, 'utf8'))).toMatchObject({
      findings: { 4: { overlay: SOUND } },
    });
    await applyChecksumOffload(device);
    expect(world.log.filter((line) => line.includes('probed'))).toHaveLength(1);
  });

  it('switches off over a doubtful card, be it the underlay or a port of it', async () => {
    await world.addVxlan('flannel.1');
    await world.addVxlanOnBridge('flannel.2');
    const { namespace, cacheFile, logger } = world;
    const findings = () => Promise.resolve(finding(SOUND));
    const faultyDriver = (driver: string) =>
      driver === 'veth' ? { driver, fault: 'spoils', source: 'https://example.net' } : undefined;
    const device = { namespace, cacheFile, logger, findings, faultyDriver, mode: 'auto' } as const;
    for (const link of ['flannel.1', 'flannel.2']) {
      expect(await applyChecksumOffload({ ...device, link })).toEqual({
        offload: false,
        reason: 'link under0 has driver veth: spoils (https://example.net)',
      });
      expect(world.isOn(link)).toBe(false);
    }
  });

  it('obeys "off" and "on", and in "auto" leaves off what is off', async () => {
    await world.addVxlan('flannel.1');
    expect((await apply('flannel.1', 'off')).offload).toBe(false);
    expect(world.isOn('flannel.1')).toBe(false);
    expect(await apply('flannel.1', 'auto')).toMatchObject({ offload: false, reason: /^off since before/ });
    expect(world.isOn('flannel.1')).toBe(false);
    expect((await apply('flannel.1', 'on', BROKEN)).offload).toBe(true);
    expect(world.isOn('flannel.1')).toBe(true);
  });

  it('leaves the devices of others alone', async () => {
    await world.addVxlan('flannel.1', '192.0.2.1', 'calico');
    for (const link of ['flannel.1', 'under0'])
      expect(await apply(link, 'off')).toEqual({
        offload: true,
        reason: `link ${link} is not a device of ours: left alone`,
      });
    expect(world.isOn('flannel.1')).toBe(true);
    await expect(apply('none0', 'off')).rejects.toThrow('ENODEV');
  });
});

describe('OffloadKeeper', () => {
  it('switches a device off when it comes, and again when it was made anew', async () => {
    const { namespace, cacheFile, logger } = world;
    using kernel = RealKernel.open(namespace);
    let probes = 0;
    const probe = () => {
      probes++;
      return Promise.resolve(finding(BROKEN));
    };
    await using keeper = new OffloadKeeper({ kernel, namespace, mode: 'auto', cacheFile, logger, probe });
    await keeper.keep(['flannel.1']);
    expect([...keeper.status()]).toEqual([]);
    for (let round = 0; round < 3; round++) {
      await world.addVxlan('flannel.1');
      expect(world.isOn('flannel.1')).toBe(true);
      await eventually(() => world.isOn('flannel.1')).toBe(false);
      await eventually(() => keeper.status().get('flannel.1')?.offload).toBe(false);
      await world.removeLink('flannel.1');
      await eventually(() => keeper.status().size).toBe(0);
    }
    expect(probes).toBe(1);
    expect(world.log.filter((line) => line.includes('"level":40'))).toEqual([]);
  });

  it('has dealt with devices that are there when keep() resolves, and with no other', async () => {
    const { namespace, cacheFile, logger } = world;
    await world.addVxlan('flannel.1');
    await world.addVxlan('flannel.2');
    using kernel = RealKernel.open(namespace);
    await using keeper = new OffloadKeeper({ kernel, namespace, mode: 'off', cacheFile, logger });
    await keeper.keep(['flannel.1']);
    expect([world.isOn('flannel.1'), world.isOn('flannel.2')]).toEqual([false, true]);
    expect([...keeper.status().keys()]).toEqual(['flannel.1']);
    expect(() => statSync(cacheFile)).toThrow('ENOENT');
  });
});
