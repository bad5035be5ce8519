/** What people call a neighbour. */
import type { NeighborStatus } from './model.ts';

/** A neighbour by its name, or by its address or link where only one has it; undefined if there is none, or several. */
export function neighborNamed(
  neighbors: readonly NeighborStatus[],
  text: string,
): NeighborStatus | undefined {
  const named = neighbors.find(({ key }) => key === text);
  if (named !== undefined) return named;
  const [found, ...others] = neighbors.filter(
    (each) =>
      each.address === text || each.address?.startsWith(`${text}%`) === true || each.interface === text,
  );
  return others.length === 0 ? found : undefined;
}
