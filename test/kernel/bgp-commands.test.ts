/** Two speakers as `poplin bgp run` has them, on addresses of the loopback, and what commands say to them. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { askLines } from '#app/bgp/control-client.ts';
import { bgpCommands } from '#app/bgp/index.ts';
import { runSpeaker } from '#app/bgp/process/index.ts';
import { readSpeakerFile } from '#app/bgp/speaker-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'poplin-bgp-'));
const WAIT = { timeout: 20_000, interval: 20 };
const PORT = 18_179;
const AGENT_SOCKET = join(folder, 'agent.sock');

/** A speaker that runs until the tests are over. */
class Running {
  readonly name: string;
  readonly socket: string;
  readonly file: string;
  reload: () => void = () => undefined;
  readonly #stopped = Promise.withResolvers<void>();
  #done: Promise<void> = Promise.resolve();

  constructor(name: string) {
    this.name = name;
    this.socket = join(folder, `${name}.sock`);
    this.file = join(folder, `${name}.yaml`);
  }

  start(text: string): void {
    writeFileSync(this.file, text);
    this.#done = runSpeaker(this.file, this.socket, {
      readSetup: (file) => Promise.resolve(readSpeakerFile(file)),
      stopped: this.#stopped.promise,
      onReload: (reload) => {
        this.reload = reload;
        return { [Symbol.dispose]: () => undefined };
      },
    });
  }

  async stop(): Promise<void> {
    this.#stopped.resolve();
    await this.#done;
  }
}

const [a, b] = [new Running('a'), new Running('b')];

const fileOf = (own: number, other: number, more = '', neighborMore = ''): string => `
asn: 6500${own}
routerId: 127.9.0.${own}
listen: {port: ${PORT}, addresses: [127.9.0.${own}]}
routes: [10.${own}.0.0/16, 'fd0${own}::/64']
neighbors:
  - name: other
    address: 127.9.0.${other}
    localAddress: 127.9.0.${own}
    port: ${PORT}
    asn: 6500${other}
    connectRetrySec: 0.1
    nextHops: {6: 'fd00::${own}'}
${neighborMore}
${more}`;

/** What a command prints. */
async function run(...args: readonly string[]): Promise<string> {
  const out = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const errors = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await bgpCommands(() => Promise.resolve(AGENT_SOCKET)).parseAsync([...args], {
      from: 'user',
    });
    return [...out.mock.calls, ...errors.mock.calls].map(([text]) => String(text)).join('');
  } finally {
    out.mockRestore();
    errors.mockRestore();
    process.exitCode = 0;
  }
}

const at = (speaker: Running, ...args: readonly string[]) => run(...args, '--socket', speaker.socket);

beforeAll(async () => {
  a.start(fileOf(1, 2));
  b.start(fileOf(2, 1));
  await vi.waitFor(async () => expect(await at(b, 'summary')).toMatch(/other .* up .* 1\/1 /), WAIT);
});

afterAll(async () => {
  await Promise.all([a.stop(), b.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

describe('a speaker that runs', () => {
  test('tells of its neighbors', async () => {
    expect(await at(a, 'summary')).toMatch(/^AS 65001, 1 neighbors\nNEIGHBOR +ADDRESS +AS /);
    expect(await at(a, 'neighbor', 'other')).toMatch(
      /session +up for (?:.*\n)+ipv4 +1 learned, 0 refused, 1 told, 0 waiting\n/,
    );
    expect(JSON.parse(await at(a, 'neighbor', 'other', '--json'))).toMatchObject({
      key: 'other',
      asn: 65_002,
      isUp: true,
    });
    expect(await at(a, 'neighbor', 'nobody')).toBe('poplin bgp: no such neighbor: "nobody"\n');
  });

  test('writes its tables into a file that is MRT', async () => {
    const path = join(folder, 'table.mrt');
    expect(await at(a, 'dump', path)).toBe(`4 prefixes in ${path}\n`);
    const bytes = readFileSync(path);
    const records: { readonly subtype: number; readonly body: Buffer }[] = [];
    for (let offset = 0; offset < bytes.length; ) {
      const length = bytes.readUInt32BE(offset + 8);
      expect(bytes.readUInt16BE(offset + 4)).toBe(13); // TABLE_DUMP_V2
      records.push({
        subtype: bytes.readUInt16BE(offset + 6),
        body: bytes.subarray(offset + 12, offset + 12 + length),
      });
      offset += 12 + length;
    }
    // PEER_INDEX_TABLE, RIB_IPV4_UNICAST, RIB_IPV6_UNICAST.
    expect(records.map(({ subtype }) => subtype)).toEqual([1, 2, 2, 4, 4]);
    const [index, ...entries] = records;
    expect(index?.body.readUInt32BE(0)).toBe(0x7f09_0001);
    expect(index?.body.includes(Buffer.from([127, 9, 0, 2]))).toBe(true);
    expect(entries.map(({ body }) => body.readUInt32BE(0))).toEqual([0, 1, 2, 3]);
    expect(await at(a, 'dump', join(folder, 'nowhere/table.mrt'))).toMatch(/no such file or directory/);
  });

  test('tells of routes, learned and told, and why', async () => {
    const routes = await at(a, 'routes', '--best');
    expect(routes).toContain('> 10.2.0.0/16          from other by 127.9.0.2 path [65002] igp');
    expect(routes).toContain('> fd02::/64            from other by fd00::2 path [65002] igp');
    expect(await at(a, 'routes', '-6', '--peer', 'other')).not.toContain('10.2');
    expect(await at(a, 'routes', '--told', 'other')).toContain(
      '10.1.0.0/16          by 127.9.0.1 path [65001] igp',
    );
    expect(await at(a, 'why', '10.2.0.0/16')).toBe(
      '10.2.0.0/16: 1 routes\n  > 10.2.0.0/16          from other by 127.9.0.2 path [65002] igp: the best\n  other is told nothing: learned from this peer\n',
    );
    expect(await at(a, 'why', '10.2.0.0')).toBe('poplin bgp: not a prefix: "10.2.0.0"\n');
  });

  test('announces and withdraws what it is told to', async () => {
    await at(a, 'announce', '10.77.0.0/16', '--community', '64512:7', '--med', '5');
    await vi.waitFor(
      async () =>
        expect(await at(b, 'routes', '-4')).toContain(
          '10.77.0.0/16         from other by 127.9.0.1 path [65001] igp med 5 64512:7',
        ),
      WAIT,
    );
    await at(a, 'withdraw', '10.77.0.0/16');
    await vi.waitFor(async () => expect(await at(b, 'routes')).not.toContain('10.77'), WAIT);
    expect(await at(a, 'withdraw', '10.77.0.0/16')).toBe(
      'poplin bgp: nobody has announced 10.77.0.0/16 here\n',
    );
    expect(await at(a, 'neighbor', '127.9.0.2')).toMatch(/losses +0\nmessages in +1 open, \d+ update, /);
    expect(await at(a, 'announce', '10.77.0.0/16', '--med', 'x')).toBe(
      'poplin bgp: med "x" is not from 0 to 4294967295\n',
    );
  });

  test('reads its file again, and keeps its sessions where it can', async () => {
    const filtered = 'filters: {none: {rules: [], otherwise: reject}}';
    const since = JSON.parse(await at(a, 'neighbor', 'other', '--json')) as { upSince: number };
    writeFileSync(a.file, fileOf(1, 2, filtered, '    import: none'));
    await at(a, 'reload');
    expect(await at(a, 'why', '10.2.0.0/16')).toContain('refused: import filter');
    writeFileSync(a.file, fileOf(1, 2, 'routrs: []'));
    expect(await at(a, 'reload')).toContain('routrs');
    writeFileSync(a.file, fileOf(1, 2));
    a.reload();
    await vi.waitFor(async () => expect(await at(a, 'why', '10.2.0.0/16')).toContain('the best'), WAIT);
    expect(JSON.parse(await at(a, 'neighbor', 'other', '--json'))).toMatchObject(since);
    expect(await at(a, 'soft-reset', 'other', '--json')).toContain('"in"');
    expect(await at(a, 'soft-reset', 'nobody')).toBe('poplin bgp: no such neighbor: "nobody"\n');
  });

  test('is asked where no agent speaks, and the agent says why if nobody does', async () => {
    const agent = createServer((_request, response) => {
      response.writeHead(503);
      response.end('{"error": "this agent does not speak BGP"}');
    });
    agent.listen(AGENT_SOCKET);
    await once(agent, 'listening');
    try {
      const why = /^poplin bgp: this agent does not speak BGP\n$/;
      expect(await run('summary')).toMatch(why);
      const lines: string[] = [];
      for await (const line of askLines([AGENT_SOCKET, a.socket], 'GET', '/routes')) lines.push(line);
      expect(lines).toHaveLength(4);
    } finally {
      agent.close();
    }
    expect(await run('summary')).toBe(
      `poplin bgp: no speaker is running at ${AGENT_SOCKET} or /run/poplin/bgp.sock\n`,
    );
  });

  test('tells whoever watches', async () => {
    const lines: string[] = [];
    const watching = (async () => {
      for await (const line of askLines([b.socket], 'GET', '/monitor')) if (lines.push(line) === 2) return;
    })();
    await vi.waitFor(async () => {
      await at(a, 'announce', '10.78.0.0/16');
      await at(a, 'withdraw', '10.78.0.0/16');
      expect(lines.length).toBeGreaterThan(1);
    }, WAIT);
    await watching;
    expect(lines.map((line) => JSON.parse(line) as unknown)[0]).toMatchObject({
      type: 'best',
      change: { family: 4, prefix: '10.78.0.0/16' },
    });
  });

  test('ends with a word to its neighbor', async () => {
    const c = new Running('c');
    c.start(fileOf(3, 1));
    await vi.waitFor(async () => expect(await at(c, 'summary')).toContain('NEIGHBOR'), WAIT);
    await c.stop();
    expect(await at(c, 'summary')).toBe(`poplin bgp: no speaker is running at ${c.socket}\n`);
  });
});

test('the keys of the file are there as JSON Schema', async () => {
  expect(JSON.parse(await run('schema'))).toMatchObject({ type: 'object', required: ['asn', 'routerId'] });
});
