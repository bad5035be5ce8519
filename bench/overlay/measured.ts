/**
 * The measured process, bundled before it runs: in a namespace given by its path it lays the overlay's base, and with `program` takes
 * N remote subnets as the agent takes its first list: plans, compares with the kernel, applies. Prints microseconds as JSON.
 */
import { DesiredState, OVERLAY, plan } from '#core/kernel/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { baseObjects, type Content, objectsOf, remoteSubnets, UNDERLAY_ADDRESS } from './content.ts';

const [path = '', action = '', nodesText = '0', content = 'flannel'] = process.argv.slice(2);
const owners = [OVERLAY];
using namespace = openNamespace(path);
using kernel = RealKernel.open(namespace);
const desired = new DesiredState();

async function reach(): Promise<number> {
  const { ops, conflicts } = plan(desired.state, kernel.state(), { owners });
  const { failures } = await kernel.apply(ops);
  const problem = failures[0]?.message ?? conflicts[0]?.message;
  if (problem !== undefined) throw new Error(problem);
  return ops.length;
}

if (action === 'base') {
  await kernel.apply([
    { verb: 'add', object: { kind: 'link', name: 'under0', detail: { type: 'bridge' }, up: true } },
    { verb: 'add', object: { kind: 'address', link: 'under0', address: `${UNDERLAY_ADDRESS}/12` } },
  ]);
}
kernel.trackSysctls(['net/ipv4/ip_forward']);
desired.set('overlay', baseObjects());
await reach();
if (action === 'program') {
  const remotes = remoteSubnets(Number(nodesText));
  const started = performance.now();
  for (const remote of remotes) desired.set(`lease ${remote.node}`, objectsOf(remote, content as Content));
  const ops = await reach();
  const us = (performance.now() - started) * 1000;
  const again = await reach();
  if (again !== 0) throw new Error(`a second plan has ${again} operations`);
  process.stdout.write(`${JSON.stringify({ us, ops })}\n`);
}
