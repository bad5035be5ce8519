import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { BACKEND_SCHEMAS, BACKEND_TYPES } from '#core/lease/index.ts';
import { BACKEND_MEANINGS } from './backend-meanings.ts';
import { backendTable, NET_CONF_DOCUMENT, withBackendTable } from './net-conf-blocks.ts';

const document = readFileSync(NET_CONF_DOCUMENT, 'utf8');

test('docs/net-conf.md is what `node tools/docs.ts` writes', () => {
  expect(document).toBe(withBackendTable(document));
});

test('every key of every backend has a row, with its meaning', () => {
  const rows = backendTable(BACKEND_SCHEMAS, BACKEND_MEANINGS).split('\n');
  for (const type of BACKEND_TYPES) {
    const keys = Object.keys(BACKEND_SCHEMAS[type].in.shape).filter((key) => key !== 'Type');
    const found = rows.filter((row) => row.startsWith(`| \`${type}\` | \``));
    expect(
      found.map((row) => row.split(' | ')[1]),
      type,
    ).toEqual(keys.map((key) => `\`${key}\``));
    for (const row of found) expect(row).toMatch(/ \| [^|]{5,} \|$/);
  }
});

test('type, limits and default are the schema’s', () => {
  const rows = backendTable(BACKEND_SCHEMAS, BACKEND_MEANINGS);
  expect(rows).toContain('| `vxlan` | `VNI` | number, 0 to 16777215 | `1` | ');
  expect(rows).toContain('| `ipsec` | `PSK` | string, at least 96 characters | required | ');
  expect(rows).toContain('| `wireguard` | `Mode` | `separate`, `auto`, `ipv4`, `ipv6` | `separate` | ');
  expect(rows).toContain('| `host-gw` | – | | | |');
});

test('a key without a meaning and a meaning without a key are refused', () => {
  const schemas = { x: z.object({ Type: z.string().optional(), Size: z.int().min(1).max(2) }) };
  expect(() => backendTable(schemas, {})).toThrow('backend "x": key "Size" has no meaning');
  expect(() => backendTable(schemas, { x: { Size: 'how large', Sise: 'how large' } })).toThrow(
    'backend "x": meaning of "Sise", which is no key',
  );
});

test('a document without its marker is refused', () => {
  expect(() => withBackendTable('')).toThrow('no marker "backends"');
});
