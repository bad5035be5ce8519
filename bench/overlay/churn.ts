/**
 * Run by itself inside the API server's namespace: takes leases away and brings them back, one after another, at a steady rate. Arguments:
 * the kubeconfig, changes a second, seconds. Prints how many changes it made.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LEASE_NAMESPACE, LEASE_SELECTOR } from '#core/lease/index.ts';
import { type KubeObject, RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, kubeConfigFor } from '#io/kube/index.ts';

const [kubeconfigPath = '', rate = '', seconds = ''] = process.argv.slice(2);
const SCOPE = { namespace: LEASE_NAMESPACE };

using store = createKubeStore(kubeConfigFor({ kubeconfigPath }), {
  clock: systemClock,
  random: systemRandom,
});
const { items } = await store.list(RESOURCES.leases, { ...SCOPE, labelSelector: LEASE_SELECTOR });
const others = items.filter(({ spec }) => (spec as { holderIdentity: string }).holderIdentity !== 'bench');
const total = Number(rate) * Number(seconds);
const startMs = performance.now();
for (let change = 0; change < total; change++) {
  const wait = startMs + (change * 1000) / Number(rate) - performance.now();
  if (wait > 0) await sleep(wait);
  const lease = others[Math.floor(change / 2) % others.length] as KubeObject;
  if (change % 2 === 0) await store.delete(RESOURCES.leases, lease.metadata.name, SCOPE);
  else await store.create(RESOURCES.leases, fresh(lease), SCOPE);
}
process.stdout.write(`${JSON.stringify({ changes: total, ms: performance.now() - startMs })}\n`);

function fresh({ metadata, ...rest }: KubeObject): KubeObject {
  const { name, namespace, labels, annotations } = metadata;
  return {
    ...rest,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(labels !== undefined && { labels }),
      ...(annotations !== undefined && { annotations }),
    },
  };
}
