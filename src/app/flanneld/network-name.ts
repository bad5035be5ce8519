/**
 * Which of the host's networks a flanneld is for. flannel's daemons on one host differ in where they tell of their subnet: so the network
 * is named by that file, whatever registry it is in, and the name is that of the only network where the file is flannel's own.
 */
import { posix } from 'node:path';
import { FIRST_NETWORK, isNetworkName } from '#app/agent/index.ts';
import { digestHex } from '#base/hash.ts';
import { FLAGS } from './flags-table.ts';

/** Where flannel's own file is. */
export const USUAL_SUBNET_FILE = FLAGS['subnet-file'].default;
/** `poplin agent --network NAME` has its file at this place too, and so is for the same network. */
const NAMED = /^\/run\/flannel\/([^/]+)\.env$/;
const HASH_DIGITS = 8;
/** What is left of 32, less the hyphen. */
const MAX_STEM = 23;

/** The same for the same file, however its path is written. */
export function networkName(subnetFile: string): string {
  const path = posix.resolve('/', subnetFile);
  if (path === USUAL_SUBNET_FILE) return FIRST_NETWORK;
  const given = NAMED.exec(path)?.[1];
  if (given !== undefined && given !== FIRST_NETWORK && isNetworkName(given)) return given;
  const stem = posix
    .basename(path, '.env')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_STEM)
    .replaceAll(/^-|-$/g, '');
  return `${stem === '' ? 'network' : stem}-${digestHex(path, HASH_DIGITS)}`;
}
