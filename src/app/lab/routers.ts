/** A lab's routers that others wrote: BIRD, as the machine has it, with the configuration that stands in the topology. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { LabRouter } from '#core/lab/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import type { LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import { identify, type ProcessIdentity } from './processes.ts';

/** Starts a router's program. Throws LabError where the machine does not have it, or it does not take its configuration. */
export function startRouter(dir: LabDir, { name, config, run }: LabRouter): ProcessIdentity | undefined {
  const path = (end: string) => dir.file(`${name}.${end}`);
  dir.write(`${name}.conf`, config);
  const checked = spawnSync(run, ['-p', '-c', path('conf')], { encoding: 'utf8' });
  if (checked.error !== undefined)
    throw new LabError(`router ${name}: no ${run} on this machine: its package is bird2`, {
      cause: checked.error,
    });
  if (checked.status !== 0) throw new LabError(`router ${name}: ${checked.stderr.trim()}`);
  const log = openSync(path('log'), 'a', 0o600);
  using namespace = openNamespace(dir.namespace(name));
  const args = ['-f', '-c', path('conf'), '-s', path('ctl'), '-P', path('pid')];
  const child = spawnIn(namespace, run, args, { stdio: ['ignore', log, log] });
  child.on('error', () => {});
  closeSync(log);
  return child.pid === undefined ? undefined : identify(child.pid);
}
