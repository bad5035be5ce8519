import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import { type KubeObject, RESOURCES } from '#core/store/index.ts';
import { FakeStore, OutageError } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { CONFIG_KEY, CONFIG_MAP, loadNetConf } from './net-conf-source.ts';

const TEXT =
  '{"Network":"10.10.0.0/16","EnableIPv6":true,"IPv6Network":"fd10::/48","Backend":{"Type":"vxlan"}}';

const configMap = (text: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: CONFIG_MAP },
  data: { [CONFIG_KEY]: text },
});

function setUp() {
  const clock = new SimClock();
  const store = new FakeStore();
  const lines: { msg: string; reason?: string }[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const stop = new AbortController();
  const load = (file?: string) => loadNetConf(file, store, clock, logger, stop.signal);
  const put = (text: string) =>
    store.create(RESOURCES.configMaps, configMap(text), { namespace: LEASE_NAMESPACE });
  return { clock, store, lines, stop, load, put };
}

describe('loadNetConf', () => {
  let folder: string | undefined;
  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });

  function fileWith(text: string): string {
    folder = mkdtempSync(join(tmpdir(), 'net-conf-'));
    const path = join(folder, 'net-conf.json');
    writeFileSync(path, text);
    return path;
  }

  it('reads both families from a file, without asking the store', async () => {
    const { load, store } = setUp();
    const { ipv4, ipv6 } = await load(fileWith(TEXT));
    expect([ipv4?.network, ipv6?.network]).toEqual(['10.10.0.0/16', 'fd10::/48']);
    expect(store.calls).toEqual([]);
  });

  it('reads a ConfigMap where no file is named', async () => {
    const { load, put } = setUp();
    await put(TEXT);
    expect((await load()).ipv4?.network).toBe('10.10.0.0/16');
  });

  it('waits for a ConfigMap that is not there yet, asks each second, and says so once', async () => {
    const { load, put, clock, lines, store } = setUp();
    const loading = load();
    await clock.advanceAsync(5000);
    await put(TEXT);
    await clock.advanceAsync(1000);
    expect((await loading).ipv4?.network).toBe('10.10.0.0/16');
    expect(store.calls.filter(({ verb }) => verb === 'get')).toHaveLength(7);
    expect(lines.map(({ msg }) => msg)).toEqual(['waiting for the network configuration']);
  });

  it('waits for the key of a ConfigMap that lacks it', async () => {
    const { load, store, clock } = setUp();
    const empty = { ...configMap(TEXT), data: {} };
    await store.create(RESOURCES.configMaps, empty, { namespace: LEASE_NAMESPACE });
    const loading = load();
    await settle();
    await store.replace(RESOURCES.configMaps, configMap(TEXT), { namespace: LEASE_NAMESPACE });
    await clock.advanceAsync(1000);
    expect((await loading).ipv4?.network).toBe('10.10.0.0/16');
  });

  it('names all problems, with the ConfigMap or file they are in', async () => {
    const { load, put } = setUp();
    await put('{"Network":"10.10.0.0/99","Backend":{"Type":"vxlan","VNI":-1}}');
    const problems = await load().then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
    expect(problems.split('\n').length).toBeGreaterThanOrEqual(2);
    expect(problems).toContain('configmap poplin-system/poplin-config key net-conf.json:1:');
    const path = fileWith('{');
    await expect(load(path)).rejects.toThrow(path);
  });

  it('tells warnings and goes on', async () => {
    const { load, put, lines } = setUp();
    await put('{"Network":"10.10.0.0/16","Backend":{"Type":"vxlan"},"Netwrok":1}');
    await load();
    expect(lines.map(({ msg }) => msg)).toEqual(['network configuration']);
    expect(lines[0]?.reason).toContain('Netwrok');
  });

  it('leaves a store that is away to its caller', async () => {
    const { load, store } = setUp();
    store.outage('down');
    await expect(load()).rejects.toThrow(OutageError);
  });

  it('stops waiting when it is told to', async () => {
    const { load, stop, clock } = setUp();
    const loading = load();
    await settle();
    stop.abort(new Error('stopping'));
    await expect(loading).rejects.toThrow('stopping');
    expect(clock.pending).toBe(0);
  });
});
