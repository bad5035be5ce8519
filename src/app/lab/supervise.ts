/** The main of a supervisor process: brings the lab up, serves its control socket, and ends when told to, or when it fails. */
import { Socket } from 'node:net';
import { serveControl } from './control.ts';
import { LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import type { LaunchEvent } from './launch.ts';
import { Lab } from './supervisor.ts';

/** A tied lab goes down when its launcher ends; every lab does while it is not up yet. */
export async function supervise(name: string, tied: boolean): Promise<void> {
  const dir = new LabDir(name);
  const topology = dir.topology();
  if (topology === undefined) throw new LabError(`lab "${name}" has no topology at ${dir.path}`);
  const launcher = new Socket({ fd: 3 });
  launcher.on('error', () => {}); // its end is told by 'close'
  launcher.resume();
  const tell = (event: LaunchEvent) => launcher.write(`${JSON.stringify(event)}\n`);
  const lab = new Lab(topology, dir);
  const ended = Promise.withResolvers<void>();
  const down = () => lab.down().then(ended.resolve, ended.reject);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void down());
  let isUp = false;
  launcher.once('close', () => {
    if (tied || !isUp) void down();
  });
  try {
    await lab.up((text) => tell({ type: 'step', text }));
    const control = await serveControl(dir.controlSocket, {
      'GET /state': () => lab.state(),
      'POST /probe': () => lab.probe(),
      'POST /down': () => lab.down().finally(() => setImmediate(ended.resolve)),
    });
    isUp = true;
    tell({ type: 'up' });
    if (!tied) launcher.end();
    await ended.promise;
    control.close();
  } catch (error) {
    if (!lab.isGoingDown) tell({ type: 'failed', message: (error as Error).message });
    await lab.down();
    throw error;
  } finally {
    launcher.destroy();
  }
}
