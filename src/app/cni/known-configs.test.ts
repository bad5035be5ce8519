import { expect, test } from 'vitest';
import { KnownConfigs } from './known-configs.ts';

test('a text is read once while it is in use, and those that are not make room', () => {
  const configs = new KnownConfigs();
  const first = configs.read('{"name":"a"}');
  expect(first).toEqual({ name: 'a' });
  for (let at = 0; at < 100; at++) {
    configs.read(`{"name":"${at}"}`);
    expect(configs.read('{"name":"a"}')).toBe(first);
  }
  for (let at = 0; at < 100; at++) configs.read(`{"name":"${at}"}`);
  const again = configs.read('{"name":"a"}');
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
});

test('what holds a result, is long, or is no object is read each time', () => {
  const configs = new KnownConfigs();
  for (const text of ['{"prevResult":{}}', `{"name":"${'a'.repeat(20_000)}"}`])
    expect(configs.read(text)).not.toBe(configs.read(text));
  for (let time = 0; time < 2; time++) expect(() => configs.read('[]')).toThrow('not a JSON object');
});
