/** What an interface was before it was tuned, in the reference plugin's file: `<dataDir>/<container>_<interface>.json`. */
import { z } from 'zod';
import type { Link } from '#core/kernel/index.ts';
import { macField } from '../../spec/fields.ts';
import type { AttachmentId } from '../../spec/network-config.ts';
import type { TuningConfig } from './config.ts';

/** The fields of a link to go back to. */
export type Backup = Pick<Link, 'mac' | 'promiscuous' | 'mtuBytes' | 'allMulticast' | 'transmitQueueLength'>;

export function backupPath(dataDir: string, { containerId, ifName }: AttachmentId): string {
  return `${dataDir}/${containerId}_${ifName}.json`;
}

/** The settings that are about to be changed, as they are. */
export function backupOf(link: Link, config: TuningConfig): string {
  return JSON.stringify(
    {
      ...(config.mac !== undefined && { mac: link.mac }),
      ...(config.promiscuous !== undefined && { promisc: link.promiscuous === true }),
      ...(config.mtuBytes !== undefined && { mtu: link.mtuBytes }),
      ...(config.allMulticast !== undefined && { allmulti: link.allMulticast === true }),
      ...(config.transmitQueueLength !== undefined && { txQLen: link.transmitQueueLength }),
    },
    null,
    1,
  );
}

const schema = z.looseObject({
  mac: macField.optional(),
  promisc: z.boolean().optional(),
  mtu: z.int().min(0).optional(),
  allmulti: z.boolean().optional(),
  txQLen: z.int().min(0).optional(),
});

/** Undefined if the file is damaged: then there is nothing to go back to. */
export function parseBackup(text: string): Backup | undefined {
  try {
    const found = schema.parse(JSON.parse(text));
    return {
      ...(found.mac !== undefined && { mac: found.mac }),
      ...(found.promisc !== undefined && { promiscuous: found.promisc }),
      ...(found.mtu && { mtuBytes: found.mtu }),
      ...(found.allmulti !== undefined && { allMulticast: found.allmulti }),
      ...(found.txQLen !== undefined && { transmitQueueLength: found.txQLen }),
    };
  } catch {
    return undefined;
  }
}
