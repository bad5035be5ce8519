import { expect, it } from 'vitest';
import { BGP_SIGNS } from './kinds.ts';
import { KnownObjects } from './known-objects.ts';
import { stationsOf } from './stations.ts';

const [CONFIGURATIONS] = BGP_SIGNS;

function stations(annotation?: string) {
  const known = new KnownObjects();
  const metadata = { name: 'default', ...(annotation && { annotations: { 'poplin.dev/bmp': annotation } }) };
  const object = { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata, spec: {} };
  if (CONFIGURATIONS !== undefined) known.upsert(CONFIGURATIONS, object);
  const problems: string[] = [];
  const found = stationsOf(known, problems).map(({ address, port }) => `${address} ${port}`);
  return { found, problems };
}

it.each([
  [undefined, []],
  ['10.0.0.9', ['10.0.0.9 11019']],
  ['10.0.0.9:5000, fd00::9', ['10.0.0.9 5000', 'fd00::9 11019']],
  ['[fd00:0::9]:5000', ['fd00::9 5000']],
])('%j names stations', (annotation, expected) => {
  expect(stations(annotation)).toEqual({ found: expected, problems: [] });
});

it.each(['station', '10.0.0.9:0', '10.0.0.9:70000', '[10.0.0.9'])('%j is told to be none', (annotation) => {
  const { found, problems } = stations(annotation);
  expect(found).toEqual([]);
  expect(problems).toEqual([
    `BGPConfiguration default metadata.annotations["poplin.dev/bmp"]: "${annotation}" is not such as 10.0.0.9, 10.0.0.9:11019 or [fd00::9]:11019`,
  ]);
});
