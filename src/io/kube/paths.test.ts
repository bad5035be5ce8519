import { describe, expect, it } from 'vitest';
import { RESOURCES } from '#core/store/index.ts';
import { collectionPath, objectPath, queryText } from './paths.ts';

const { nodes, pods, leases } = RESOURCES;

describe('resource paths', () => {
  it('follow the scheme of the Kubernetes API', () => {
    expect(collectionPath(nodes)).toBe('/api/v1/nodes');
    expect(collectionPath(nodes, 'ignored')).toBe('/api/v1/nodes');
    expect(collectionPath(pods)).toBe('/api/v1/pods');
    expect(collectionPath(pods, 'a')).toBe('/api/v1/namespaces/a/pods');
    expect(objectPath(nodes, 'n', undefined, 'status')).toBe('/api/v1/nodes/n/status');
    expect(objectPath(leases, 'l', 'kube-system')).toBe(
      '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/l',
    );
  });

  it('let no name leave its place', () => {
    expect(objectPath(pods, '../../x?y#z', 'a/b')).toBe('/api/v1/namespaces/a%2Fb/pods/..%2F..%2Fx%3Fy%23z');
    expect(() => objectPath(pods, 'p', undefined)).toThrow('pods "p": no namespace given');
    expect(() => objectPath(pods, 'p', '')).toThrow('pods "p": no namespace given');
    expect(() => objectPath(nodes, '', undefined)).toThrow('nodes: the object has no name');
    for (const name of ['.', '..']) expect(() => objectPath(nodes, name, undefined)).toThrow('is no name');
  });

  it('carry only the parameters that are there', () => {
    expect(queryText({})).toBe('');
    expect(queryText({ limit: 500, continue: undefined, labelSelector: 'a in (b,c),!d' })).toBe(
      '?limit=500&labelSelector=a+in+%28b%2Cc%29%2C%21d',
    );
  });
});
