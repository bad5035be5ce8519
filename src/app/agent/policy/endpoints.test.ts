import { describe, expect, test } from 'vitest';
import type { PodEndpoint } from '#app/cni/index.ts';
import { Endpoints } from './endpoints.ts';

const web = (change: Partial<PodEndpoint> = {}): PodEndpoint => ({
  part: 'one',
  containerId: 'c1',
  pod: { namespace: 'shop', name: 'web' },
  addresses: ['10.1.0.2', 'fd00::2'],
  link: 'veth1',
  ...change,
});

describe('the endpoints of a node', () => {
  test('are pods by their key, with what their attachments have', () => {
    const endpoints = new Endpoints();
    expect(endpoints.put(web())).toBe('pod shop/web');
    expect(endpoints.endpointOf('pod shop/web')).toEqual({
      key: 'pod shop/web',
      addresses: ['10.1.0.2', 'fd00::2'],
      link: 'veth1',
    });
    expect(endpoints.netsOf('pod shop/web')).toEqual(['10.1.0.2/32', 'fd00::2/128']);
    expect([endpoints.has('fd00::2'), endpoints.has('10.1.0.3')]).toEqual([true, false]);
    expect(endpoints.remove('one')).toBe('pod shop/web');
    expect(endpoints.size).toBe(0);
    expect(endpoints.has('fd00::2')).toBe(false);
    expect(endpoints.remove('one')).toBeUndefined();
  });

  test('a container made anew counts in place of the old one, which may go later', () => {
    const endpoints = new Endpoints();
    endpoints.put(web());
    endpoints.put(web({ part: 'two', containerId: 'c2', addresses: ['10.1.0.3'], link: 'veth2' }));
    expect(endpoints.endpointOf('pod shop/web')).toMatchObject({ addresses: ['10.1.0.3'], link: 'veth2' });
    endpoints.remove('one');
    expect(endpoints.endpointOf('pod shop/web')).toMatchObject({ addresses: ['10.1.0.3'], link: 'veth2' });
  });

  test('an attachment that is told of again is in place of what it was', () => {
    const endpoints = new Endpoints();
    endpoints.put(web());
    endpoints.put(web({ link: 'renamed', bridge: 'cni0', addresses: ['10.1.0.9'] }));
    expect(endpoints.endpointOf('pod shop/web')).toEqual({
      key: 'pod shop/web',
      addresses: ['10.1.0.9'],
      link: 'renamed',
      bridge: 'cni0',
    });
    expect(endpoints.has('10.1.0.2')).toBe(false);
  });
});
