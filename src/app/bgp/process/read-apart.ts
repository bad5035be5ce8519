/**
 * A speaker's file read by a process of its own: schema and parser are 10 MB, which one that speaks for months would keep for the few
 * moments when its file is read.
 */
import { execFile } from 'node:child_process';
import type { SpeakerSetup } from '../service/model.ts';

const MAX_SETUP_BYTES = 2 ** 30;

/** What is wrong with the file, or why it cannot be read. */
class SpeakerFileError extends Error {
  override readonly name = 'SpeakerFileError';
}

/** Rejects with a SpeakerFileError that says all that is wrong with the file. `program`: this command line's own. */
export function readApart(program: string, file: string): Promise<SpeakerSetup> {
  const { promise, resolve, reject } = Promise.withResolvers<SpeakerSetup>();
  const args = [program, 'bgp', 'setup', file];
  execFile(process.execPath, args, { maxBuffer: MAX_SETUP_BYTES }, (error, stdout, stderr) => {
    if (error === null) resolve(JSON.parse(stdout) as SpeakerSetup);
    else reject(new SpeakerFileError(stderr === '' ? error.message : stderr));
  });
  return promise;
}
