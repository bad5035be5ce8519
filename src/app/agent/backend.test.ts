import { describe, expect, test } from 'vitest';
import { parseNetConf } from '#core/lease/index.ts';
import { LISTING_1 } from '#core/lease/listings.fixture.ts';
import { carriedBackend } from './backend.ts';

function backendOf(text: string) {
  const result = parseNetConf(text, 'net-conf.json');
  if (!result.ok) throw new Error('bad fixture');
  return carriedBackend(result.value.backend);
}

describe('the backend of net-conf.json', () => {
  test('vxlan carries packets', () => {
    expect(backendOf('{"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "VNI": 7}}')).toMatchObject({
      type: 'vxlan',
      vni: 7,
    });
  });

  test.for([
    [LISTING_1, 'Backend.Type: "udp" is not carried'],
    ['{"Network": "10.0.0.0/8", "Backend": {"Type": "host-gw"}}', 'Backend.Type: "host-gw" is not carried'],
    [
      '{"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "DirectRouting": true}}',
      'Backend.DirectRouting: true is not carried',
    ],
  ] as const)('any other is named, with what works: $1', ([text, words]) => {
    expect(backendOf(text)).toContain(words);
    expect(backendOf(text)).toContain('"vxlan" without DirectRouting works');
  });
});
