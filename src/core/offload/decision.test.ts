import { describe, expect, it } from 'vitest';
import { decideChecksumOffload, type OffloadFacts, type Verdict } from './decision.ts';
import { faultyDriver } from './faulty-drivers.ts';

const SOUND: Verdict = { verdict: 'sound' };
const BROKEN: Verdict = { verdict: 'broken', text: 'refused' };
const UNKNOWN: Verdict = { verdict: 'unknown', text: 'cannot probe: no veth' };
const VMXNET3 = {
  ...(faultyDriver('vmxnet3') as NonNullable<ReturnType<typeof faultyDriver>>),
  link: 'ens192',
};

const CASES: readonly (readonly [name: string, facts: OffloadFacts, offload: boolean, reason: RegExp])[] = [
  [
    '"off" wins over a sound kernel',
    { mode: 'off', kernel: { overlay: SOUND, bare: SOUND } },
    false,
    /set to "off"/,
  ],
  [
    '"on" wins over a broken kernel',
    { mode: 'on', kernel: { overlay: BROKEN, bare: BROKEN } },
    true,
    /set to "on"/,
  ],
  ['"on" wins over a doubtful card', { mode: 'on', suspect: VMXNET3 }, true, /set to "on"/],
  [
    'a sound kernel keeps it',
    { mode: 'auto', kernel: { overlay: SOUND, bare: SOUND } },
    true,
    /arrive intact$/,
  ],
  [
    'a kernel that spoils only what is masqueraded keeps it, and says so',
    { mode: 'auto', kernel: { overlay: SOUND, bare: BROKEN } },
    true,
    /bypass connection tracking; masqueraded ones would not: refused/,
  ],
  [
    'a broken kernel loses it',
    { mode: 'auto', kernel: { overlay: BROKEN, bare: BROKEN } },
    false,
    /kernel .* refused/,
  ],
  [
    'what is unknown changes nothing',
    { mode: 'auto', kernel: { overlay: UNKNOWN, bare: UNKNOWN } },
    true,
    /no veth/,
  ],
  ['what was not probed changes nothing', { mode: 'auto' }, true, /not probed/],
  [
    'a doubtful card loses it even on a sound kernel, and the report is named',
    { mode: 'auto', kernel: { overlay: SOUND, bare: SOUND }, suspect: VMXNET3 },
    false,
    /link ens192 has driver vmxnet3: .*https:/,
  ],
];

describe('decideChecksumOffload', () => {
  it.each(CASES)('%s', (_name, facts, offload, reason) => {
    const decision = decideChecksumOffload(facts);
    expect(decision.offload).toBe(offload);
    expect(decision.reason).toMatch(reason);
  });
});

describe('faultyDriver', () => {
  it('knows nothing of ordinary drivers', () => {
    for (const driver of ['virtio_net', 'ixgbe', 'mlx5_core', 'veth', ''])
      expect(faultyDriver(driver)).toBeUndefined();
  });
});
