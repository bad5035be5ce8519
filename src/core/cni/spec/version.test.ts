import { describe, expect, test } from 'vitest';
import { isCniError } from './error.ts';
import {
  CNI_VERSIONS,
  compareVersions,
  isAtLeast,
  reconcileVersion,
  selectVersion,
  versionReply,
} from './version.ts';

const thrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('versions', () => {
  test('are ordered by number, not by text', () => {
    expect([...CNI_VERSIONS].sort(compareVersions)).toEqual(CNI_VERSIONS);
    expect(compareVersions('0.10.0', '0.9.0')).toBeGreaterThan(0);
    expect(compareVersions('1', '1.0.0')).toBe(0);
    expect(isAtLeast('0.3.1', '0.4.0')).toBe(false);
    expect(isAtLeast('1.0.0', '0.4.0')).toBe(true);
  });

  test('are reconciled by exact match', () => {
    for (const version of CNI_VERSIONS) expect(reconcileVersion(version)).toBe(version);
    const error = thrown(() => reconcileVersion('0.5.0'));
    expect(isCniError(error, 1)).toBe(true);
    expect(error).toMatchObject({
      msg: 'incompatible CNI versions',
      details: 'config is "0.5.0", plugin supports ["0.1.0" "0.2.0" "0.3.0" "0.3.1" "0.4.0" "1.0.0" "1.1.0"]',
    });
  });

  test('of a network: the highest that is not above ours is taken', () => {
    expect(selectVersion(undefined)).toBe('0.1.0');
    expect(selectVersion('0.3.1')).toBe('0.3.1');
    expect(selectVersion('0.4.0', ['0.3.1', '1.0.0'])).toBe('1.0.0');
    expect(selectVersion('1.1.0', ['0.3.1', '2.0.0'])).toBe('1.1.0');
    expect(selectVersion('2.0.0', ['1.0.0'])).toBe('1.0.0');
    expect(selectVersion('2.0.0')).toBe('2.0.0');
    expect(
      isCniError(
        thrown(() => selectVersion('1.0.0', ['new'])),
        6,
      ),
    ).toBe(true);
  });

  test('VERSION echoes what was asked', () => {
    expect(versionReply('0.4.0')).toEqual({ cniVersion: '0.4.0', supportedVersions: CNI_VERSIONS });
    expect(versionReply('9.9.9').cniVersion).toBe('9.9.9');
    for (const asked of [undefined, 7, 'x', '']) expect(versionReply(asked).cniVersion).toBe('1.1.0');
  });
});
