import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLANNEL_KEYS } from './flannel-keys.fixture.ts';
import { readSubnetValue, type SubnetValue, writeSubnetValue } from './value.ts';

const owner = { node: 'a', uid: 'u-1' };

function valueOf(text: string): SubnetValue {
  const reading = readSubnetValue(text);
  if (!reading.ok) throw new Error(reading.reason);
  return reading.value;
}

describe("flannel's values", () => {
  it.each(FLANNEL_KEYS)('of $what are written back byte for byte', ({ value }) => {
    expect(writeSubnetValue(valueOf(value), value)).toBe(value);
  });

  it.each(FLANNEL_KEYS)('of $what take an owner and keep all else', ({ value }) => {
    const owned = writeSubnetValue({ ...valueOf(value), owner }, value);
    expect(valueOf(owned)).toEqual({ ...valueOf(value), owner });
    const { PoplinOwner, ...rest } = JSON.parse(owned) as Record<string, unknown>;
    expect(PoplinOwner).toEqual({ Node: 'a', UID: 'u-1' });
    expect(rest).toEqual(JSON.parse(value));
    expect(Object.keys(rest)).toEqual(Object.keys(JSON.parse(value) as object));
    expect(writeSubnetValue({ ...valueOf(value), owner }, owned)).toBe(owned);
  });

  it('keep the spelling and place of what others wrote when ours changes', () => {
    const { value } = FLANNEL_KEYS.find(({ what }) => what.startsWith('another order')) ?? { value: '' };
    const changed = writeSubnetValue(
      { ...valueOf(value), publicIp: '192.0.2.99', backendType: 'host-gw' },
      value,
    );
    expect(changed).toBe(
      '{"x-site":{"rack":  7,"big":12345678901234567890},"BackendData":{"VtepMAC":"0A:0b:0c:0d:0e:0f","VNI":1},"backendtype":"host-gw","publicIP":"192.0.2.99","1":1.0}',
    );
    const { backendData: _, ...without } = valueOf(value);
    expect(writeSubnetValue(without, value)).not.toContain('VtepMAC');
  });

  it('are written as flannel writes them where there was none', () => {
    const vxlan = { VNI: 1, VtepMAC: '82:4b:b6:2f:54:4e' };
    const value = { publicIp: '192.0.2.10', backendType: 'vxlan', backendData: vxlan };
    expect(writeSubnetValue(value)).toBe(FLANNEL_KEYS[0]?.value);
    expect(writeSubnetValue(value, 'rubbish')).toBe(FLANNEL_KEYS[0]?.value);
    expect(writeSubnetValue({ publicIpv6: '2001:db8::19', backendType: 'host-gw' })).toBe(
      FLANNEL_KEYS.at(-1)?.value,
    );
  });

  it('are read as Go reads them: any case, the last of a kind', () => {
    const text = '{"PublicIP":"192.0.2.1","publicip":"192.0.2.2","BACKENDTYPE":"alloc","PublicIPv6":"::"}';
    expect(valueOf(text)).toEqual({ publicIp: '192.0.2.2', backendType: 'alloc' });
    expect(writeSubnetValue({ ...valueOf(text), backendType: 'udp' }, text)).toBe(
      '{"publicip":"192.0.2.2","BACKENDTYPE":"udp","PublicIPv6":"::"}',
    );
  });

  it.each([
    ['', 'its value is not JSON: '],
    ['{"PublicIP":"192.0.2.1",}', 'its value is not JSON: {"PublicIP":"192.0.2.1",}'],
    ['[]', 'its value is no JSON object: []'],
    ['null', 'its value is no JSON object: null'],
    ['{"PublicIP":"host"}', 'its PublicIP "host" is not an IPv4 address'],
    ['{"PublicIP":null}', 'its PublicIP null is not an IPv4 address'],
    ['{"PublicIP":"fd00::1"}', 'its PublicIP "fd00::1" is not an IPv4 address'],
    ['{"PublicIPv6":7}', 'its PublicIPv6 7 is not an IPv6 address'],
    ['{"BackendType":{}}', 'its BackendType {} is not a text'],
    ['{"PoplinOwner":"me"}', 'its PoplinOwner "me" is not {"Node":"…","UID":"…"}'],
  ])('%s is refused', (text, reason) => {
    expect(readSubnetValue(text)).toEqual({ ok: false, reason });
  });

  it('never throw, whatever the text, and any value is read as it was written', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readSubnetValue(text)));
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<NonNullable<SubnetValue['backendData']>>;
    const over = fc.option(
      fc.dictionary(fc.string(), fc.jsonValue()).map((members) => JSON.stringify(members)),
      { nil: undefined },
    );
    const check = (backendData: NonNullable<SubnetValue['backendData']>, node: string, before?: string) => {
      const same = JSON.parse(JSON.stringify(backendData)) as typeof backendData;
      const value = { publicIp: '192.0.2.1', backendType: 't', backendData: same, owner: { node, uid: '' } };
      const text = writeSubnetValue(value, before);
      if (same !== null) expect(valueOf(text)).toEqual(value);
      expect(writeSubnetValue(value, text)).toBe(text);
      const kept = before === undefined ? {} : (JSON.parse(before) as object);
      expect(JSON.parse(text)).toMatchObject({ ...kept, PublicIP: '192.0.2.1', BackendType: 't' });
    };
    fc.assert(fc.property(json, fc.string(), over, check));
  });
});
