/** What the kernel does on its own after it has answered: ADD waits for it, so that a pod's first packet is answered. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { familyOf, prefixParts } from '#base/ip/index.ts';
import type { AddPlan } from '#core/cni/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { PodKernel } from '#io/kernel/index.ts';
import { isVeth } from './links.ts';

/** An idle kernel takes a tenth of a millisecond: it is asked again in the next turns of the event loop, whose timers count in milliseconds. */
const QUICK_ATTEMPTS = 10;
/** A busy one takes some milliseconds; what takes longer is not waited for. */
const ATTEMPTS = QUICK_ATTEMPTS + 50;
const PAUSE_MS = 1;

/** Never fails: what is not there yet comes later. `newOnHost` are those of the plan's host objects that were not there before. */
export async function settle(
  host: PodKernel,
  { hostObjects, podObjects }: AddPlan,
  newOnHost: readonly KernelObject[],
  pod: PodKernel,
): Promise<void> {
  const links = hostObjects.filter(isVeth);
  // Until the kernel has looked at a link whose other end came up, it drops what the link sends: the answer to the pod's first
  // packet. It looks when it finds the time, or when asked for the link (linkwatch_sync_dev, Linux 6.8).
  for (const { name } of links) host.link(name);
  if (links.length > 0) await settleAddresses(host, newOnHost);
  await settleAddresses(pod, podObjects);
}

/** An IPv6 address receives nothing until a work queue has added its local route (addrconf_dad_work), without detection too. */
async function settleAddresses(kernel: PodKernel, objects: readonly KernelObject[]): Promise<void> {
  const down = new Set(
    objects.flatMap((each) => (each.kind === 'link' && each.up !== true ? [each.name] : [])),
  );
  for (const object of objects) {
    if (object.kind !== 'address' || object.noDad !== true || down.has(object.link)) continue;
    const { address } = prefixParts(object.address);
    if (familyOf(address) === 4) continue;
    for (let attempt = 0; attempt < ATTEMPTS && !kernel.hasTaken(address, object.link); attempt += 1)
      await (attempt < QUICK_ATTEMPTS ? nextTurn() : sleep(PAUSE_MS));
  }
}
