/** Where rules of others may be, as the kernel tells: in nf_tables, or in the older iptables. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';

let folder = '';
let host = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-rule-tool-'));
  host = join(folder, 'host');
  createNamespace(host).close();
});
afterEach(() => {
  removeNamespace(host);
  rmSync(folder, { recursive: true });
});

const run = (...command: string[]) => spawnSync('nsenter', [`--net=${host}`, ...command]).status;
const families = [
  ['ip', 'iptables'],
  ['ip6', 'ip6tables'],
] as const;

test.each(families)('a chain of %s in nf_tables is known by its name', (family, program) => {
  const tool = createRuleTool(host);
  const holds = (...chains: string[]) => tool.mayHold({ family, table: 'nat', chains });
  expect(holds('MINE')).toBe(false);
  expect(run(`${program}-nft`, '-t', 'nat', '-N', 'OTHERS')).toBe(0);
  expect([holds('MINE'), tool.mayHold({ family, table: 'nat' })]).toEqual([false, true]);
  expect(run(`${program}-nft`, '-t', 'nat', '-N', 'MINE')).toBe(0);
  expect([holds('MINE'), holds('ABSENT', 'MINE'), holds('ABSENT')]).toEqual([true, true, false]);
  expect(tool.mayHold({ family: family === 'ip' ? 'ip6' : 'ip', table: 'nat', chains: ['MINE'] })).toBe(
    false,
  );
});

test.for(families)(
  'a table of %s in the older iptables may hold any chain',
  ([family, program], { skip }) => {
    const tool = createRuleTool(host);
    const holds = (table: string) => tool.mayHold({ family, table, chains: ['MINE'] });
    expect(holds('nat')).toBe(false);
    if (run(`${program}-legacy`, '-t', 'nat', '-S') !== 0) skip('the kernel has no legacy iptables');
    expect([holds('nat'), holds('filter')]).toEqual([true, false]);
  },
);

test('a table of family inet is known by its name', () => {
  const tool = createRuleTool(host);
  const holds = () => tool.mayHold({ family: 'inet', table: 'mine' });
  expect(holds()).toBe(false);
  expect(run('nft', 'add', 'table', 'inet', 'mine')).toBe(0);
  expect(holds()).toBe(true);
});
