/** What the embedded API server refuses, and in which words. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiWorld, configMap, pod } from './apiserver-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.open({ historyLimit: 200 });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const create = (path: string, object: object) => world.create(path, object);

describe('requests that make no sense', () => {
  beforeAll(async () => {
    await create(CONFIG_MAPS, configMap('same'));
  });

  it.each<[string, string, string, object, number, string]>([
    ['an unknown resource', 'GET', '/api/v1/gizmos', {}, 404, 'could not find the requested resource'],
    ['an unknown path', 'GET', '/nothing', {}, 404, 'could not find the requested resource'],
    ['malformed JSON', 'POST', CONFIG_MAPS, { body: '{"a":' }, 400, 'not valid JSON'],
    ['text that is no JSON', 'POST', CONFIG_MAPS, { body: '\u{fffd}' }, 400, 'not valid JSON'],
    [
      'an unknown media type',
      'POST',
      CONFIG_MAPS,
      { body: 'x', type: 'text/plain' },
      415,
      'application/json, application/yaml',
    ],
    [
      'an unknown patch type',
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: '{}', type: 'application/json' },
      415,
      'application/merge-patch+json',
    ],
    [
      'server-side apply',
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: '{}', type: 'application/apply-patch+yaml' },
      415,
      '--server-side=false',
    ],
    [
      'the wrong kind',
      'POST',
      CONFIG_MAPS,
      { body: { kind: 'Pod', metadata: { name: 'x' } } },
      400,
      'does not match the expected kind',
    ],
    [
      'the wrong version',
      'POST',
      CONFIG_MAPS,
      { body: { apiVersion: 'v2', metadata: { name: 'x' } } },
      400,
      'does not match the expected API version',
    ],
    [
      'another namespace',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x', namespace: 'other' } } },
      400,
      'does not match the namespace',
    ],
    ['no name', 'POST', CONFIG_MAPS, { body: {} }, 422, 'name or generateName is required'],
    ['a bad name', 'POST', CONFIG_MAPS, { body: { metadata: { name: 'A_b' } } }, 422, 'RFC 1123'],
    [
      'a bad label',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x', labels: { a: '-' } } } },
      422,
      'metadata.labels',
    ],
    [
      'another name than the URL',
      'PUT',
      `${CONFIG_MAPS}/same`,
      { body: { metadata: { name: 'other' } } },
      400,
      'does not match the name on the URL',
    ],
    ['a name to create under', 'POST', `${CONFIG_MAPS}/x`, { body: {} }, 405, 'create is not supported'],
    ['a creation without namespace', 'POST', '/api/v1/pods', { body: pod('x') }, 400, 'an empty namespace'],
    ['a body that is no object', 'POST', CONFIG_MAPS, { body: '[]' }, 400, 'must be a ConfigMap object'],
    [
      'a prototype',
      'POST',
      CONFIG_MAPS,
      { body: '{"__proto__":{},"metadata":{"name":"x"}}' },
      400,
      '__proto__',
    ],
    [
      'a wrong type',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x' }, data: { a: 1 } } },
      422,
      'data.a in body must be of type string',
    ],
    [
      'a form nobody makes',
      'GET',
      CONFIG_MAPS,
      { headers: { accept: 'text/html' } },
      406,
      'application/json',
    ],
    [
      'strict validation of a typo',
      'POST',
      `${CONFIG_MAPS}?fieldValidation=Strict`,
      { body: { metadata: { name: 'x' }, daat: {} } },
      400,
      'strict decoding error: unknown field "daat"',
    ],
  ])('are refused: %s', async (_, method, path, init, code, message) => {
    const { body } = await world.call(method, path, init);
    expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(body.message).toContain(message);
  });

  it('are refused when nested too deeply or too large', async () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect((await world.post(CONFIG_MAPS, deep)).code).toBe(400);
    const large = JSON.stringify({ metadata: { name: 'x' }, data: { a: 'x'.repeat(3 * 1024 * 1024) } });
    expect((await world.post(CONFIG_MAPS, large)).body).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    });
    expect(await sendChunked(large)).toBe(413);
  });

  it('warn of unknown fields unless told not to', async () => {
    const typo = { metadata: { name: 'typo' }, daat: {} };
    const warned = await world.post(CONFIG_MAPS, typo);
    expect(warned.headers.get('warning')).toBe('299 - "unknown field \\"daat\\""');
    expect(warned.body).not.toHaveProperty('daat');
    const silent = await world.post(`${CONFIG_MAPS}?fieldValidation=Ignore`, {
      ...typo,
      metadata: { name: 'typo2' },
    });
    expect(silent.headers.get('warning')).toBeNull();
  });
});

/** A body of unknown length, as HTTP/1.1 sends it in chunks. */
function sendChunked(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(world.url);
    const call = request(
      {
        hostname,
        port,
        path: CONFIG_MAPS,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    call.on('error', reject);
    call.end(text);
  });
}
