// @ts-check
import { describe, expect, it } from 'vitest';
import { installCommand, installedNames, missingPackages, PACKAGES, packagesFor } from './packages.mjs';

const names = (/** @type {{ name: string }[]} */ rows) => rows.map((row) => row.name);

describe('system packages', () => {
  it('asks for nothing but a compiler to run, and for nothing to check', () => {
    expect(names(packagesFor('run', true))).toEqual(['gcc', 'libc6-dev']);
    expect(packagesFor('check', true)).toEqual([]);
  });

  it('asks an ordinary user for nothing that only privileged tests use', () => {
    expect(names(packagesFor('test', false))).toEqual(['gcc', 'libc6-dev']);
    expect(names(packagesFor('test', true))).toEqual(names([...PACKAGES]));
  });

  it('takes a package for present when its proof is found, whoever installed it', () => {
    const found = new Set(['cc', '/usr/include/stdio.h', 'ip', 'nft']);
    const missing = names(missingPackages(packagesFor('test', true), (proof) => found.has(proof)));
    expect(missing).not.toContain('gcc');
    expect(missing).not.toContain('nftables');
    expect(missing).toContain('iperf3');
  });

  it('believes dpkg only about packages it calls installed', () => {
    const output = 'gcc installed\nnftables config-files\n\nxz-utils installed\n';
    expect(installedNames(output)).toEqual(new Set(['gcc', 'xz-utils']));
  });

  it('names one command that installs everything missing', () => {
    const missing = missingPackages(packagesFor('run', false), () => false);
    expect(installCommand(missing)).toBe(
      "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev'",
    );
  });

  it('lists every package once, with a reason', () => {
    expect(new Set(names([...PACKAGES])).size).toBe(PACKAGES.length);
    for (const row of PACKAGES) expect(row.reason, row.name).not.toBe('');
  });
});
