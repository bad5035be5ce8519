/** The main of a supervisor process: brings the lab up, serves its control socket, and ends when told to, or when it fails. */
import { createWriteStream, readFileSync } from 'node:fs';
import type { Topology } from '#core/lab/index.ts';
import { serveControl } from './control.ts';
import { LabDir } from './lab-dir.ts';
import type { LaunchEvent } from './launch.ts';
import { Lab } from './supervisor.ts';

export async function supervise(name: string): Promise<void> {
  const dir = new LabDir(name);
  const launcher = createWriteStream('', { fd: 3 });
  launcher.on('error', () => {}); // the launcher is gone: nobody needs to know
  const tell = (event: LaunchEvent) => launcher.write(`${JSON.stringify(event)}\n`);
  const topology = JSON.parse(readFileSync(dir.file('topology.json'), 'utf8')) as Topology;
  const lab = new Lab(topology, dir);
  const ended = Promise.withResolvers<void>();
  const down = async () => {
    await lab.down();
    ended.resolve();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void down());
  try {
    await lab.up((text) => tell({ type: 'step', text }));
    const control = await serveControl(dir.file('control.sock'), {
      'GET /state': () => lab.state(),
      'POST /probe': () => lab.probe(),
      'POST /down': down,
    });
    tell({ type: 'up' });
    launcher.end();
    await ended.promise;
    control.close();
  } catch (error) {
    tell({ type: 'failed', message: (error as Error).message });
    await lab.down();
    throw error;
  }
}
