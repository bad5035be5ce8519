import { expect, it } from 'vitest';
import { isPlaceFree, lockNetworks, lockNode } from './node-lock.ts';

it('lets one agent run in a network namespace, and the next when it has gone', async () => {
  {
    await using _held = await lockNode();
    await expect(lockNode()).rejects.toThrow(
      'another poplin agent runs in this network namespace: stop it first, or say which network',
    );
    await using _further = await lockNode(1, 'second');
    expect([await isPlaceFree(0), await isPlaceFree(1), await isPlaceFree(2)]).toEqual([false, false, true]);
    await expect(lockNode(1, 'second')).rejects.toThrow('for network second: stop it first');
  }
  await using again = await lockNode();
  expect(again).toBeDefined();
});

it('lets one after the other look through the networks', async () => {
  const order: string[] = [];
  const first = await lockNetworks();
  const second = lockNetworks().then(async (lock) => {
    order.push('second');
    await lock[Symbol.asyncDispose]();
  });
  order.push('first done');
  await first[Symbol.asyncDispose]();
  await second;
  expect(order).toEqual(['first done', 'second']);
});
