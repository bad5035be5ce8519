/** Whose program answers to a plugin's name: our own client, which would only come round to this agent, or somebody else's. */
import { readFileSync, statSync } from 'node:fs';
import { findPlugin } from './exec-plugin.ts';

/** Our client has well under 1 MiB; what is larger than this is not read. */
const MAX_CLIENT_BYTES = 4 * 1024 * 1024;
const ELF = Buffer.from('\x7fELF', 'latin1');
/** The variable that our client alone reads. */
const MARK = Buffer.from('POPLIN_CNI_SOCKET\0', 'latin1');
/** Replacing a plugin makes a new file: old ones are of no use. */
const MAX_REMEMBERED = 100;

/**
 * A function that tells whether the first file of the name in `cniPath` is somebody else's program; false where there is none. Each
 * file is read once for as long as it stays the same.
 */
export function createForeignTest(): (type: string, cniPath: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (type, cniPath) => {
    let path: string;
    try {
      path = findPlugin({ type, environment: { CNI_PATH: cniPath } });
    } catch {
      return false;
    }
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    const key = `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const isForeign = size > MAX_CLIENT_BYTES || !isOwnClient(readFileSync(path));
    if (verdicts.size >= MAX_REMEMBERED) verdicts.clear();
    verdicts.set(key, isForeign);
    return isForeign;
  };
}

function isOwnClient(program: Buffer): boolean {
  return program.subarray(0, ELF.length).equals(ELF) && program.includes(MARK);
}
