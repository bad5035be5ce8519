/** Which parts of the tiers run at once, and in which order. */
import type { Part } from './tier.ts';

/** Parts that run one after another. */
export type Lane = readonly Part[];

/**
 * Stages, one after another, of lanes that run at once: the virtual machine beside all that may run side by side, then, on a quiet
 * machine, each part that wants it for itself.
 */
export function stagesOf(parts: readonly Part[]): readonly (readonly Lane[])[] {
  const together = parts.filter(({ isAlone }) => !isAlone);
  const stages = [
    [
      together.filter(({ tier }) => tier.virtual === true),
      together.filter(({ tier }) => tier.virtual !== true),
    ],
    [parts.filter(({ isAlone }) => isAlone)],
  ];
  return stages.map((lanes) => lanes.filter((lane) => lane.length > 0)).filter((lanes) => lanes.length > 0);
}
