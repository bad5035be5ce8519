/** Patches a lease in a lab's store: `KUBECONFIG NAME MERGE-PATCH`, to be run where the store can be reached. */
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, kubeConfigFor } from '#io/kube/index.ts';

const [kubeconfigPath = '', name = '', patch = '{}'] = process.argv.slice(2);
using store = createKubeStore(kubeConfigFor({ kubeconfigPath }), {
  clock: systemClock,
  random: systemRandom,
});
const scope = { namespace: LEASE_NAMESPACE };
const before = await store.get(RESOURCES.leases, name, scope);
await store.patch(RESOURCES.leases, name, 'merge', JSON.parse(patch), scope);
process.stdout.write(JSON.stringify({ before, patchedAtMs: Date.now() }));
