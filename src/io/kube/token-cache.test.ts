import { describe, expect, it } from 'vitest';
import { SimClock } from '#testing/sim-clock.ts';
import { TokenCache } from './token-cache.ts';

describe('the token', () => {
  it('is read again after a minute, and kept while its file cannot be read', () => {
    const clock = new SimClock();
    let file: string | undefined = 'one';
    let reads = 0;
    const tokens = new TokenCache(() => {
      reads++;
      if (file === undefined) throw new Error('ENOENT');
      return file;
    }, clock);
    expect([tokens.get(), tokens.get()]).toEqual(['one', 'one']);
    file = 'two';
    clock.advance(59_999);
    expect(tokens.get()).toBe('one');
    expect(reads).toBe(1);
    clock.advance(1);
    expect(tokens.get()).toBe('two');
    file = undefined;
    clock.advance(60_000);
    expect([tokens.get(), tokens.get()]).toEqual(['two', 'two']);
    expect(reads).toBe(3);
    file = 'three';
    expect(tokens.refresh()).toBe(true);
    expect(tokens.refresh()).toBe(false);
    expect(tokens.get()).toBe('three');
  });

  it('that was never there is an error', () => {
    const tokens = new TokenCache(() => {
      throw new Error('ENOENT');
    }, new SimClock());
    expect(() => tokens.get()).toThrow('ENOENT');
  });
});
