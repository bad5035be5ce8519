/** How long tests with random values go on: briefly in a usual run, long in a soak (`npm run soak` sets POPLIN_SOAK). */

export const IS_SOAK = process.env['POPLIN_SOAK'] !== undefined;

/** One of two amounts: that of a usual run, or that of a soak. */
export function soaked(usual: number, whole: number): number {
  return IS_SOAK ? whole : usual;
}

/** fast-check's number of runs. */
export function runs(usual: number, soaked: number): { readonly numRuns: number } {
  return { numRuns: IS_SOAK ? soaked : usual };
}

/** Like runs, but the usual run tries the same values each time: for tests that count what the values have reached. */
export function repeatableRuns(
  usual: number,
  soaked: number,
): { readonly numRuns: number; readonly seed?: number } {
  return IS_SOAK ? { numRuns: soaked } : { numRuns: usual, seed: 20_260_101 };
}
