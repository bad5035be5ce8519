/** How this program was started, for starting it again and for telling people how to. */
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';

/** The bundle or the source, before its own arguments. */
export function programArgs(): string[] {
  return [process.argv[1] as string];
}

/** What to type for `poplin` here: that, if it is found on the PATH, else the way to bin/poplin. With sudo where sudo was used. */
export function programName(): string {
  return `${process.env['SUDO_USER'] === undefined ? '' : 'sudo '}${shortestName()}`;
}

function shortestName(): string {
  const own = ownLauncher();
  if (own === undefined) return 'poplin';
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'poplin'));
  if (onPath.some((path) => existsSync(path) && realpathSync(path) === own)) return 'poplin';
  const here = relative(process.cwd(), own);
  return here.startsWith('../..') ? own : here;
}

/** bin/poplin of the tree that the bundle or the source lies in. */
function ownLauncher(): string | undefined {
  for (let folder = dirname(process.argv[1] ?? ''); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'bin/poplin');
    if (existsSync(path)) return realpathSync(path);
  }
  return undefined;
}
