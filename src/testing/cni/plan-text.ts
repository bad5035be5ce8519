/** Plans as the text that golden files hold: the printed result, then the objects of each namespace in order, one a line. */
import { type AddPlan, type CniVersion, type DelPlan, encodeResult } from '#core/cni/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

/** An ADD: the result as printed in a version, then the objects. */
export function addPlanText(plan: AddPlan, version: CniVersion): string {
  return [
    `${JSON.stringify(encodeResult(plan.result, version), null, 2)}\n`,
    section('host removals', plan.hostRemovals),
    section('shared', plan.sharedObjects),
    section('host', plan.hostObjects),
    section('pod', plan.podObjects),
  ].join('');
}

/** A DEL: the objects it removes, then those it leaves. */
export function delPlanText(plan: DelPlan): string {
  return [
    section('host removals', plan.hostRemovals),
    section('pod removals', plan.podRemovals),
    section('pod', plan.podObjects),
  ].join('');
}

function section(title: string, objects: readonly KernelObject[]): string {
  return [`${title}:`, ...objects.map((object) => `  ${JSON.stringify(object)}`), ''].join('\n');
}
