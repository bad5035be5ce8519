import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BROKEN, FIXTURE_PLAN, SOUND } from './architecture/fixture.ts';
import { judge, RULES } from './architecture/judge.ts';
import { judgeRepository, PLAN } from './architecture.ts';

const judgeFiles = (files: Readonly<Record<string, string>>) =>
  judge(new Map(Object.entries(files)), FIXTURE_PLAN);

describe('the architecture', () => {
  it('holds for this repository', async ({ annotate }) => {
    const { files, imports, faults } = judgeRepository(join(import.meta.dirname, '..'));
    await annotate(`saw ${files} files and ${imports} imports`);
    expect(faults.map(({ path, line, rule, text }) => `${path}:${line} ${rule}: ${text}`)).toEqual([]);
    expect(files).toBeGreaterThan(50);
    expect(imports).toBeGreaterThan(100);
  });

  it('has core arrows only to listed modules, and none that lead back', () => {
    const visit = (name: string, path: readonly string[]): void => {
      expect(path, `${path.join(' → ')} → ${name}`).not.toContain(name);
      const arrows = PLAN.coreArrows[name];
      expect(arrows, `core/${name} is pointed at but not listed`).toBeDefined();
      for (const next of arrows ?? []) visit(next, [...path, name]);
    };
    for (const name of Object.keys(PLAN.coreArrows)) visit(name, []);
  });
});

describe('the rules', () => {
  it('find nothing in a sound repository', () => {
    expect(judgeFiles(SOUND).faults).toEqual([]);
  });

  it('each have files that break them', () => {
    expect(Object.keys(BROKEN).toSorted()).toEqual(Object.keys(RULES).toSorted());
  });

  const breaches = Object.entries(BROKEN).flatMap(([rule, of]) =>
    of.map((breach) => [rule, breach.name, breach] as const),
  );
  it.each(breaches)('%s: %s', (rule, _, { files, at }) => {
    const { faults } = judgeFiles({ ...SOUND, ...files });
    expect(faults.map((fault) => `${fault.rule} ${fault.path}:${fault.line}`)).toEqual(
      at.map((place) => `${rule} ${place}`),
    );
  });

  it('fail when they see no files', () => {
    const empty = mkdtempSync(join(tmpdir(), 'poplin-architecture-'));
    try {
      const { files, faults } = judgeRepository(empty);
      expect(files).toBe(0);
      expect(faults.map((fault) => fault.rule)).toEqual(['nothing-seen']);
    } finally {
      rmSync(empty, { recursive: true });
    }
  });

  it('fail on a file that is no valid source, and judge the rest', () => {
    const { files, faults } = judgeFiles({ ...SOUND, 'src/base/torn.ts': 'export const = ;' });
    expect(files).toBe(Object.keys(SOUND).length);
    expect(faults).toEqual([expect.objectContaining({ rule: 'syntax', path: 'src/base/torn.ts' })]);
  });
});
