// @ts-check
import { describe, expect, it } from 'vitest';
import { dependedKernel } from './kernel.mjs';

describe('the kernel of a metapackage', () => {
  it('is the image it depends on', () => {
    const output =
      'linux-image-amd64\n  Depends: linux-image-6.1.0-56-amd64\n  Recommends: firmware-linux-free\n';
    expect(dependedKernel(output)).toBe('linux-image-6.1.0-56-amd64');
    expect(dependedKernel(output.replace('6.1.0-56', '6.12.9+deb13'))).toBe('linux-image-6.12.9+deb13-amd64');
  });

  it('is none if it depends on no image', () => {
    expect(dependedKernel('linux-image-amd64\n')).toBeUndefined();
    expect(dependedKernel('  Depends: <linux-image-virtual>\n')).toBeUndefined();
  });
});
