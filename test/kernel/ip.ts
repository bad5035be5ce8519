/** Asks iproute2, which nobody here wrote, whether an object is there. */
import { execFileSync } from 'node:child_process';
import { familyOf } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

/** Runs `ip` (or another command) inside the namespace file and returns what it printed. */
export function inNamespace(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** True if `ip` lists the link, address, route or rule. */
export function runIp(netns: string, object: KernelObject): boolean {
  const ip = (...args: string[]) => inNamespace(netns, 'ip', ...args);
  switch (object.kind) {
    case 'link':
      return ip('-o', 'link').includes(` ${object.name}:`) || ip('-o', 'link').includes(` ${object.name}@`);
    case 'address':
      return ip('-o', 'address', 'show', 'dev', object.link).includes(` ${object.address} `);
    case 'route':
      return ip(`-${familyOf(object.dst)}`, 'route', 'show', object.dst).trim() !== '';
    case 'rule':
      return ip(`-${object.family}`, 'rule').includes(`${object.priority}:`);
    default:
      throw new RangeError(`ip does not list a ${object.kind}`);
  }
}
