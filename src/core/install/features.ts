/**
 * Whether the kernel has a feature: by what was tried, else by what it was built with and which modules it can load. Nothing is loaded to
 * know.
 */
import type { InstallPlan, KernelFacts } from './facts.ts';
import { FEATURES, type FeatureName, type FeaturePart, type FeatureRow } from './features-table.ts';

/** `ready` needs nothing, `loadable` comes when it is first used, `barred` would but may not, `unknown` nobody can tell. */
export type FeatureState =
  | { readonly state: 'works' | 'ready' | 'unknown' }
  | { readonly state: 'loadable'; readonly modules: readonly string[] }
  | { readonly state: 'barred'; readonly module: string; readonly why: string }
  | { readonly state: 'fileless'; readonly module: string }
  | { readonly state: 'absent'; readonly why: string };

type PartState = 'ready' | 'loadable' | 'barred' | 'fileless' | 'absent' | 'unknown';

export function featureState(name: FeatureName, kernel: KernelFacts): FeatureState {
  const row: FeatureRow = FEATURES[name];
  const trial = kernel.trials.get(name);
  if (trial?.works === true) return { state: 'works' };
  const parts = row.parts.map((part) => [part, partState(part, kernel)] as const);
  const first = (state: PartState) => parts.find((each) => each[1] === state)?.[0];
  const absent = first('absent');
  if (absent !== undefined) return { state: 'absent', why: `no CONFIG_${absent.option}` };
  if (row.since !== undefined && isOlder(kernel.release, row.since))
    return { state: 'absent', why: `it is there since ${row.since}` };
  const fileless = first('fileless');
  if (fileless?.module !== undefined) return { state: 'fileless', module: fileless.module };
  const barred = first('barred');
  if (barred?.module !== undefined)
    return { state: 'barred', module: barred.module, why: whyBarred(barred.module, kernel) };
  // All parts are there as far as can be seen, and yet it was refused.
  if (trial?.works === false) return { state: 'absent', why: trial.error };
  if (first('unknown') !== undefined) return { state: 'unknown' };
  const modules = parts.flatMap(([{ module }, state]) =>
    state === 'loadable' && module !== undefined ? [module] : [],
  );
  return modules.length > 0 ? { state: 'loadable', modules: [...new Set(modules)] } : { state: 'ready' };
}

/** True if it can be tried without a module being loaded by that. */
export function isPresent(name: FeatureName, kernel: KernelFacts): boolean {
  return FEATURES[name].parts.every(
    (part: FeaturePart) => part.module === undefined || partState(part, kernel) === 'ready',
  );
}

/** True where the planned network does not work without it. */
export function isPlanned(name: FeatureName, { netConf, families }: InstallPlan): boolean {
  const { neededBy }: FeatureRow = FEATURES[name];
  if (neededBy === 'all') return true;
  if (neededBy.backends?.includes(netConf.backend.type) !== true) return false;
  return neededBy.families === undefined || neededBy.families.some((family) => families.includes(family));
}

function partState({ option, module }: FeaturePart, kernel: KernelFacts): PartState {
  const { options, builtin, loadable, loaded } = kernel;
  const built = options?.get(option);
  if (built === 'y') return 'ready';
  if (module === undefined) return built === 'm' ? 'ready' : options === undefined ? 'unknown' : 'absent';
  if (loaded.has(module) || builtin?.has(module) === true) return 'ready';
  if (loadable?.has(module) === true)
    return kernel.isClosed || kernel.barred.has(module) ? 'barred' : 'loadable';
  if (loadable !== undefined) return built === 'm' ? 'fileless' : 'absent';
  return options !== undefined && built === undefined ? 'absent' : 'unknown';
}

function whyBarred(module: string, { barred, isClosed }: KernelFacts): string {
  return isClosed
    ? 'no module is loaded until the next boot (kernel.modules_disabled is 1)'
    : `${barred.get(module)} keeps it from being loaded`;
}

/** Whether a release as `6.1.0-18-amd64` is before a version as `5.6`. */
function isOlder(release: string, version: string): boolean {
  const [major = 0, minor = 0] = numbersOf(release);
  const [wantedMajor = 0, wantedMinor = 0] = numbersOf(version);
  return major !== wantedMajor ? major < wantedMajor : minor < wantedMinor;
}

const numbersOf = (text: string) => (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
