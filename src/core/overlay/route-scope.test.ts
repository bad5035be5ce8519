import { describe, expect, it } from 'vitest';
import { spreadScope } from './route-scope.ts';

/** How many of the destinations share the scope that most have. */
function longestChain(destinations: readonly string[]): number {
  const chains = new Map<number, number>();
  for (const scope of destinations.map(spreadScope)) chains.set(scope, (chains.get(scope) ?? 0) + 1);
  return Math.max(...chains.values());
}

const subnets = (count: number, step: number, length: number) =>
  Array.from({ length: count }, (_, n) => {
    const value = 0x0a000000 + n * step;
    return `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')}/${length}`;
  });

describe('the scope of a remote route', () => {
  it('depends on the destination alone, and never changes', () => {
    expect(['10.10.32.0/20', '192.0.2.2/32', '0.0.0.0/1', '255.255.255.255/32'].map(spreadScope)).toEqual([
      129, 52, 1, 46,
    ]);
  });

  it.each([
    ['/24', subnets(5000, 256, 24)],
    ['/20', subnets(4096, 4096, 20)],
    ['/26 of which each fourth is taken', subnets(5000, 256, 26)],
    ['node addresses', subnets(5000, 1, 32)],
  ])('spreads %s evenly over all scopes', (_name, destinations) => {
    expect(longestChain(destinations)).toBeLessThanOrEqual(Math.ceil(destinations.length / 199));
  });

  it('has no name: it is neither global nor site, link, host or nowhere', () => {
    const scopes = new Set(subnets(5000, 256, 24).map(spreadScope));
    expect([Math.min(...scopes), Math.max(...scopes)]).toEqual([1, 199]);
  });
});
