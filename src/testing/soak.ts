/** How long tests with random values go on: briefly in a usual run, long in a soak (`npm run soak` sets POPLIN_SOAK). */

export const IS_SOAK = process.env['POPLIN_SOAK'] !== undefined;

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
