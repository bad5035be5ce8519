/**
 * The API server is killed with SIGKILL at random moments between writes: no acknowledged write may be lost, no
 * resourceVersion may be given out twice, and a watch must go on where it was without a gap.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type JsonReply, WatchReader } from './apiserver-world.ts';

const ROUNDS = 20;
const WRITERS = 4;
const MAIN = fileURLToPath(import.meta.resolve('./apiserver-process.ts'));
const PATH = '/api/v1/namespaces/default/configmaps';

class KillableServer implements AsyncDisposable {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  url = '';

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [MAIN, join(this.#folder, 'objects.db')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    this.url = line;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What the clients know: every version they were told, and the last state they were promised. */
class Ledger {
  /** What each version stands for: `NAME=VALUE`, or `NAME gone`. */
  readonly versions = new Map<number, string>();
  /** Versions of acknowledged writes. */
  readonly acknowledged = new Set<number>();
  readonly latest = new Map<string, { version: number; value: string | undefined }>();
  readonly reused: string[] = [];

  see(version: number, meaning: string): void {
    const known = this.versions.get(version);
    if (known !== undefined && known !== meaning) this.reused.push(`${version}: ${known}, then ${meaning}`);
    this.versions.set(version, meaning);
  }

  acknowledge(version: number, name: string, value: string): void {
    this.see(version, `${name}=${value}`);
    this.acknowledged.add(version);
    this.latest.set(name, { version, value });
  }
}

const valueOf = (object: JsonReply): string => (object['data'] as { value: string }).value;
const versionOf = (object: JsonReply): number => Number(object.metadata.resourceVersion);

/** Writes one object over and over until the server is gone. */
async function write(
  url: string,
  name: string,
  ledger: Ledger,
  nextValue: () => string,
  onWrite: () => void,
) {
  for (;;) {
    const value = nextValue();
    const exists = ledger.latest.has(name);
    try {
      const response = await fetch(url + PATH + (exists ? `/${name}` : ''), {
        method: exists ? 'PATCH' : 'POST',
        headers: { 'content-type': exists ? 'application/merge-patch+json' : 'application/json' },
        body: JSON.stringify({ metadata: { name }, data: { value } }),
      });
      const object = (await response.json()) as JsonReply;
      // a create whose answer was lost has happened all the same
      if (response.status === 409) ledger.latest.set(name, { version: 0, value: undefined });
      else if (!response.ok) throw new TypeError(`unexpected answer ${response.status}: ${object.message}`);
      else ledger.acknowledge(versionOf(object), name, value);
    } catch (error) {
      if (error instanceof TypeError && /fetch failed|terminated/.test(error.message)) return;
      throw error;
    }
    onWrite();
  }
}

/** Checks the server's state against what was promised, and gives back the list's version. */
async function verify(url: string, ledger: Ledger): Promise<void> {
  const list = (await (await fetch(url + PATH)).json()) as JsonReply;
  const found = new Map(list.items.map((object) => [object.metadata.name, object]));
  for (const [name, { version, value }] of ledger.latest) {
    const object = found.get(name);
    expect(object, `${name} was acknowledged at version ${version}`).toBeDefined();
    if (object === undefined) continue;
    expect(versionOf(object)).toBeGreaterThanOrEqual(version);
    // a later state can only be a write that was under way when the server died
    if (versionOf(object) === version && value !== undefined) expect(valueOf(object)).toBe(value);
    ledger.see(versionOf(object), `${name}=${valueOf(object)}`);
  }
}

it('survives being killed between any two writes', async () => {
  await using server = new KillableServer(await mkdtemp(join(tmpdir(), 'poplin-kill-')));
  const ledger = new Ledger();
  const seen: number[] = [];
  let counter = 0;
  let start = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await server.start();
    await verify(server.url, ledger);
    if (round === 0) {
      const list = (await (await fetch(server.url + PATH)).json()) as JsonReply;
      start = Number(list.metadata.resourceVersion);
    }
    const from = seen.at(-1) ?? start;
    await using watch = new WatchReader(`${server.url}${PATH}?watch=true&resourceVersion=${from}`);
    const wanted = 1 + Math.floor(Math.random() * 40);
    let writes = 0;
    const enough = Promise.withResolvers<void>();
    const writers = Array.from({ length: WRITERS }, (_, index) =>
      write(
        server.url,
        `object-${round % 3}-${index}`,
        ledger,
        () => String(++counter),
        () => {
          if (++writes >= wanted) enough.resolve();
        },
      ),
    );
    await enough.promise;
    await server.kill();
    await Promise.all(writers);
    await watch.ended();
    for (const { type, object } of watch.lines) {
      expect(['ADDED', 'MODIFIED']).toContain(type);
      ledger.see(versionOf(object), `${object.metadata.name}=${valueOf(object)}`);
      seen.push(versionOf(object));
    }
  }
  await server.start();
  await verify(server.url, ledger);
  const last = Math.max(...ledger.acknowledged);
  await using watch = new WatchReader(
    `${server.url}${PATH}?watch=true&resourceVersion=${seen.at(-1) ?? start}&timeoutSeconds=1`,
  );
  await watch.ended();
  seen.push(...watch.lines.map(({ object }) => versionOf(object)));

  expect(ledger.reused).toEqual([]);
  expect(ledger.acknowledged.size).toBeGreaterThan(ROUNDS);
  // in order, each once, and none missing
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
  const missed = [...ledger.acknowledged].filter((version) => !seen.includes(version));
  expect(missed).toEqual([]);
  expect(seen.at(-1)).toBeGreaterThanOrEqual(last);
}, 120_000);
