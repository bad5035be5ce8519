import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoTopology, type ObjectDocument } from '#core/lab/index.ts';
import { withBgp } from './bgp.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-lab-bgp-'));
  const objects = ['a', 'b'].map(
    (name) => `apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: { name: ${name} }\nspec: {}\n`,
  );
  writeFileSync(join(folder, 'peers.yaml'), objects.join('---\n'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (...bgp: readonly ObjectDocument[]) =>
  withBgp({ ...demoTopology(), bgp }, join(folder, 'lab.yaml')).bgp;

describe('objects of BGP in a topology', () => {
  test('are those of its file, and of the files that it names', () => {
    const configuration = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
    };
    expect(read(configuration, 'peers.yaml')).toMatchObject([
      { kind: 'BGPConfiguration' },
      { metadata: { name: 'a' } },
      { metadata: { name: 'b' } },
    ]);
    expect(withBgp(demoTopology(), 'lab.yaml')).not.toHaveProperty('bgp');
  });

  test.each<[string, ObjectDocument, string]>([
    [
      'others',
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'x' } },
      'v1 Node x is none of projectcalico.org/v3 BGPConfiguration, BGPPeer, BGPFilter, IPPool',
    ],
    ['files that are not there', 'none.yaml', 'no such file'],
  ])('are not %s', (_, document, message) => {
    expect(() => read(document)).toThrow(message);
  });
});
