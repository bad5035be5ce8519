/** The agent's CNI service alone, as a process: what a host without a cluster runs. Serves until it is killed. */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pino } from 'pino';
import { agentPaths, KernelLoop } from '#app/agent/index.ts';
import { AttachmentFiles, CniService, rootedAddresses } from '#app/cni/index.ts';
import { CNI, OVERLAY } from '#core/kernel/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createExecPlugin } from '#io/cni/exec/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import { CniServer } from '#io/cni/server/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { openNamespace } from '#io/namespace/index.ts';

const logger = pino({ level: 'info' }, pino.destination(2));
const paths = agentPaths('/');
for (const folder of [paths.attachments, paths.hostLocal, dirname(paths.cniSocket)])
  mkdirSync(folder, { recursive: true });
const namespace = openNamespace('/proc/self/ns/net');
const kernel = RealKernel.open(namespace);
const owners = [OVERLAY, CNI];
const loop = new KernelLoop({ kernel, owners, clock: systemClock, random: systemRandom, logger });
const service = new CniService({
  kernel,
  namespace: namespace.id,
  loop,
  files: new AttachmentFiles(paths.attachments),
  ipam: {
    addresses: rootedAddresses(new DiskAddressStore(), paths.hostLocal),
    exec: createExecPlugin(),
    readResolvConf: (path) => readFile(path, 'utf8'),
  },
  facts: () => ({
    node: 'host',
    addresses: ['192.168.80.1', 'fd80::1'],
    defaultRanges: ['10.80.0.0/24', 'fd80:1::/64'],
    ipv6: true,
  }),
  logger,
});
await service.restore();
loop.start();
await CniServer.listen({
  path: paths.cniSocket,
  handle: (call) => service.handle(call),
  onRefused: (reason) => logger.warn({ reason }, 'cni connection refused'),
});
process.stdout.write('serving\n');
