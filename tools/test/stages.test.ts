import { describe, expect, it } from 'vitest';
import { stagesOf } from './stages.ts';
import { partsOf, TIERS } from './tier.ts';

const PARTS = TIERS.flatMap(partsOf);
const namesOf = (parts: typeof PARTS) =>
  stagesOf(parts).map((lanes) => lanes.map((lane) => lane.map(({ name }) => name).join(' ')));
const only = (...names: string[]) => PARTS.filter(({ name }) => names.includes(name));

describe('stages', () => {
  it('run the virtual machine beside the other tiers, and afterwards what wants the machine for itself', () => {
    expect(namesOf(PARTS)).toEqual([['vm', 'unit kernel interop e2e'], ['kernel-alone e2e-alone']]);
  });

  it('are as few as what is chosen asks for', () => {
    expect(namesOf([])).toEqual([]);
    expect(namesOf(only('kernel'))).toEqual([['kernel']]);
    expect(namesOf(only('kernel', 'kernel-alone'))).toEqual([['kernel'], ['kernel-alone']]);
    expect(namesOf(only('vm', 'e2e-alone'))).toEqual([['vm'], ['e2e-alone']]);
  });
});
