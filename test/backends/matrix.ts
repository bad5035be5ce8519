/** The tests of some cells of the matrix of backends: the situations, in one world for each cell. */
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest';
import type { Cell } from './cell.ts';
import { SITUATIONS, type Situation } from './situations.ts';
import { Subject } from './subject.ts';
import { HOSTS } from './world.ts';

export function describeCells(cells: readonly Cell[], situations: readonly Situation[] = SITUATIONS): void {
  describe.for(cells)('$name, $families, leases in $registry', (cell) => {
    let subject: Subject | undefined;

    beforeAll(async () => {
      subject = await Subject.open(cell);
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());
    afterEach(async ({ task }) => {
      await subject?.endFlows();
      if (task.result?.state === 'fail')
        for (const host of HOSTS) console.log(`${host}: ${subject?.world.log(host).slice(-1500)}`);
    });

    for (const { name, holds } of situations)
      test(name, async ({ task }) => {
        if (subject === undefined) throw new Error('there is no world');
        if ((task.result?.retryCount ?? 0) > 0) await subject.settle();
        await holds(subject);
      });
  });
}
