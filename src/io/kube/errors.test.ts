import { describe, expect, it } from 'vitest';
import { isAlreadyExists, isNotFound } from '#core/store/index.ts';
import { describe as describeCause } from '#io/http/index.ts';
import { isUnreachable, statusFailure, UnreachableError } from './errors.ts';

describe('errors of the client', () => {
  it('carry code, reason and message of a Status body', () => {
    const body = JSON.stringify({
      kind: 'Status',
      code: 409,
      reason: 'AlreadyExists',
      message: 'nodes "a" already exists',
      details: { retryAfterSeconds: 3 },
    });
    const { error, retryAfterSeconds } = statusFailure(409, body, 'POST /api/v1/nodes');
    expect(isAlreadyExists(error)).toBe(true);
    expect(error).toMatchObject({ code: 409, message: 'POST /api/v1/nodes: nodes "a" already exists' });
    expect(retryAfterSeconds).toBe(3);
  });

  it('make do with what other servers answer', () => {
    const { error } = statusFailure(404, '404 page not found\n', 'GET /apis/none');
    expect(isNotFound(error)).toBe(true);
    expect(error.message).toBe('GET /apis/none: 404 404 page not found');
    expect(statusFailure(418, `<html>${'x'.repeat(1000)}`, 'GET /').error).toMatchObject({
      code: 418,
      reason: 'Unknown',
    });
    expect(statusFailure(418, 'x'.repeat(1000), 'GET /').error.message.length).toBeLessThan(150);
    expect(statusFailure(503, '{"kind":"Status"}', 'GET /').error).toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
      message: 'GET /: 503 ServiceUnavailable',
    });
    expect(statusFailure(500, '', 'GET /').error.message).toBe('GET /: 500');
  });

  it('name the server, the request and the cause where there is no answer', () => {
    const refused = (address: string) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' });
    const both = new AggregateError([refused('::1:6443'), refused('127.0.0.1:6443')]);
    const error = new UnreachableError('localhost:6443', 'GET /api/v1/nodes', both);
    expect(error.message).toBe(
      'kubernetes api at localhost:6443: GET /api/v1/nodes: connect ECONNREFUSED ::1:6443, connect ECONNREFUSED 127.0.0.1:6443',
    );
    expect(isUnreachable(error)).toBe(true);
    expect(error.cause).toBe(both);
    expect(describeCause(Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO' }))).toBe(
      'self-signed certificate (DEPTH_ZERO)',
    );
    expect(describeCause('text')).toBe('text');
  });
});
