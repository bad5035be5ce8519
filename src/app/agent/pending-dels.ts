/** DELs that the plugin on disk recorded while no agent was there: carried out at the start, then forgotten. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { CniService } from '#app/cni/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeRequest } from '#io/cni/server/index.ts';

export async function carryOutPendingDels(
  folder: string,
  service: CniService,
  logger: Logger,
): Promise<void> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (name.startsWith('.')) continue; // still being written
    try {
      const call = decodeRequest(readFileSync(path));
      const answer = await service.handle(call);
      // One that fails is kept for the next start; the container's runtime has forgotten it.
      if (answer.exitStatus === 0) rmSync(path, { force: true });
    } catch (error) {
      if (!isDecodeError(error)) throw error;
      logger.warn({ path, err: error }, 'recorded DEL dropped: not readable');
      rmSync(path, { force: true });
    }
  }
}
