import { expect, it } from 'vitest';
import { lockNode } from './node-lock.ts';

it('lets one agent run in a network namespace, and the next when it has gone', async () => {
  {
    await using _held = await lockNode();
    await expect(lockNode()).rejects.toThrow(
      'another poplin agent runs in this network namespace: stop it first',
    );
  }
  await using again = await lockNode();
  expect(again).toBeDefined();
});
