/** What of this process's environment a command in the virtual machine gets. */
import { toolEnvironment } from '../command.ts';

const PASSED = /^(PATH|LANG|CI|FORCE_COLOR|NO_COLOR|POPLIN_\w+)$/;

/** The variables a test or tool of ours looks at, with the project's tools first on PATH, and root's home. */
export function guestEnvironment(own: Readonly<NodeJS.ProcessEnv> = {}): Record<string, string> {
  const all = Object.entries({ ...toolEnvironment(), ...own });
  const passed = all.filter((row): row is [string, string] => row[1] !== undefined && PASSED.test(row[0]));
  return { ...Object.fromEntries(passed), HOME: '/root', TERM: 'dumb' };
}
