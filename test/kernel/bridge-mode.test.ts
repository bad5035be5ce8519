import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { bridgeMode } from '#io/kernel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

/** Whether nft can have a bridge's connections tracked. */
function canTrack(netns: string): boolean {
  try {
    execFileSync('nsenter', [`--net=${netns}`, 'nft', '-f', '-'], {
      input: 'table bridge t { chain c { ct state established accept; }; }',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    inNamespace(netns, 'nft', 'delete', 'table', 'bridge', 't');
    return true;
  } catch {
    return false;
  }
}

test('what the kernel can do for bridges is found out without a trace', () => {
  using folder = new NamespaceFolder('bridge-mode');
  const namespace = folder.make('a');
  const mode = bridgeMode(namespace);
  expect(inNamespace(namespace.path, 'nft', 'list', 'ruleset')).toBe('');
  if (canTrack(namespace.path)) expect(mode).toBe('conntrack');
  else expect(['netfilter', 'none']).toContain(mode);
});
