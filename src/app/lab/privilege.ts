/** Whether this process may make network namespaces and mounts for itself, or needs a user namespace for it. */
import { accessSync, constants, readFileSync } from 'node:fs';

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

let known: boolean | undefined;

/** True for root with root's capabilities, on a host or in a container that has them; false inside a lab's own user namespace. */
export function isPrivileged(): boolean {
  known ??= process.env['POPLIN_LAB_OWNER'] === undefined && process.geteuid?.() === 0 && maySetUp();
  return known;
}

function maySetUp(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const has = (capability: bigint) => ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
  if (!has(CAP_NET_ADMIN) || !has(CAP_SYS_ADMIN)) return false;
  try {
    // The root of a bare user namespace has all capabilities and owns nothing.
    accessSync('/run', constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
