import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createNamespace,
  currentNamespace,
  listNamespaces,
  type Namespace,
  namespaceId,
  openNamespace,
  readSysctl,
  removeNamespace,
  runIn,
  spawnIn,
  writeSysctl,
} from '#io/namespace/index.ts';
import { openDescriptors } from './netlink-socket-messages.ts';

const folder = mkdtempSync(join(tmpdir(), 'poplin-namespace-'));
const path = join(folder, 'sub', 'a');
let namespace: Namespace;

/** The network namespaces that the threads of this process are in. */
function threadNamespaces(): Set<string> {
  const links = readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
  return new Set(links);
}

beforeAll(() => {
  namespace = createNamespace(path);
});

afterAll(() => {
  namespace.close();
  removeNamespace(path);
  rmSync(folder, { recursive: true });
});

describe('a namespace file', () => {
  test('is another namespace than ours, with a loopback of its own', () => {
    using own = currentNamespace();
    expect(namespace.id).not.toBe(own.id);
    expect(namespaceId(path)).toBe(namespace.id);
    expect(runIn(namespace, () => readdirSync('/proc/thread-self/net/dev_snmp6'))).toEqual(['lo']);
  });

  test('is listed beside no other file', () => {
    writeFileSync(join(folder, 'sub', 'plain'), '');
    mkdirSync(join(folder, 'sub', 'folder'));
    expect(listNamespaces(join(folder, 'sub'))).toEqual([{ name: 'a', path, id: namespace.id }]);
    expect(listNamespaces(join(folder, 'missing'))).toEqual([]);
  });

  test('cannot be made where a file is, which is left as it was', () => {
    writeFileSync(join(folder, 'taken'), 'mine');
    expect(() => createNamespace(join(folder, 'taken'))).toThrow('EEXIST');
    expect(readFileSync(join(folder, 'taken'), 'utf8')).toBe('mine');
  });

  test('is gone without a trace when removed, again and again', () => {
    const once = join(folder, 'once');
    createNamespace(once).close();
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toContain(once);
    expect(removeNamespace(once)).toBe(true);
    expect(removeNamespace(once)).toBe(false);
    expect(existsSync(once)).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(once);
  });

  test('that a crash left without its mount is removed too', () => {
    const stale = join(folder, 'stale');
    writeFileSync(stale, '');
    expect(namespaceId(stale)).toBeUndefined();
    expect(removeNamespace(stale)).toBe(true);
  });

  test('made in the shared folder is usable and removable with `ip netns`', () => {
    const name = `poplin-ns-${process.pid}`;
    using made = createNamespace(`/run/netns/${name}`);
    try {
      execFileSync('ip', ['netns', 'add', `${name}-b`]);
      execFileSync('ip', ['netns', 'exec', name, 'true']);
      expect(listNamespaces().find((entry) => entry.name === name)?.id).toBe(made.id);
    } finally {
      expect(removeNamespace(`/run/netns/${name}`)).toBe(true);
      expect(removeNamespace(`/run/netns/${name}-b`)).toBe(true);
    }
  });
});

describe('opening', () => {
  test('an absent file is ENOENT, any other file EINVAL', () => {
    expect(() => openNamespace(join(folder, 'absent'))).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'open' }),
    );
    for (const other of ['/proc/self/ns/mnt', '/etc/passwd', '/dev/null', folder]) {
      expect(() => openNamespace(other), other).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
  });

  test('a handle that was closed cannot be used, and closing again is harmless', () => {
    const handle = openNamespace(path);
    handle.close();
    handle.close();
    expect(() => handle.fd).toThrow('used after it was closed');
  });

  test('a thousand times leaves no descriptor behind', () => {
    const before = openDescriptors();
    for (let i = 0; i < 1000; i += 1) {
      using handle = openNamespace(path);
      runIn(handle, () => undefined);
    }
    expect(openDescriptors()).toBe(before);
  });
});

describe('running inside', () => {
  test('returns the value and comes back', () => {
    using own = currentNamespace();
    const inside = runIn(namespace, () => namespaceId('/proc/thread-self/ns/net'));
    expect(inside).toBe(namespace.id);
    expect(namespaceId('/proc/thread-self/ns/net')).toBe(own.id);
  });

  test('passes an exception on and comes back all the same', () => {
    using own = currentNamespace();
    const wrong = new Error('inside');
    expect(() =>
      runIn(namespace, () => {
        throw wrong;
      }),
    ).toThrow(wrong);
    expect(namespaceId('/proc/thread-self/ns/net')).toBe(own.id);
  });

  test('nests', () => {
    using own = currentNamespace();
    const ids = runIn(namespace, () => {
      const home = runIn(own, () => namespaceId('/proc/thread-self/ns/net'));
      return [home, namespaceId('/proc/thread-self/ns/net')];
    });
    expect(ids).toEqual([own.id, namespace.id]);
  });

  test('refuses a function that is asynchronous', () => {
    expect(() => runIn(namespace, async () => undefined)).toThrow(TypeError);
  });

  test('leaves no thread of the process in another namespace, the thread pool included', async () => {
    for (let i = 0; i < 20; i += 1) runIn(namespace, () => readdirSync('/proc/thread-self/net'));
    await Promise.all(Array.from({ length: 8 }, () => stat(folder)));
    expect(threadNamespaces().size).toBe(1);
  });
});

describe('sysctls', () => {
  test('are written and read in the namespace only, for both families', () => {
    using own = currentNamespace();
    for (const key of ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']) {
      const before = readSysctl(own, key);
      writeSysctl(namespace, key, '1');
      expect(readSysctl(namespace, key)).toBe('1');
      writeSysctl(namespace, key, '0');
      expect(readSysctl(namespace, key)).toBe('0');
      expect(readSysctl(own, key)).toBe(before);
    }
  });

  test('of more handles than one procfs serves are of the right namespace, and leave no descriptor', async () => {
    using own = currentNamespace();
    const foreign = readSysctl(own, 'net/ipv4/ip_forward') === '1' ? '0' : '1';
    writeSysctl(namespace, 'net/ipv4/ip_forward', foreign);
    using kept = openNamespace(path);
    kept.sysctlTree('ipv4');
    const before = openDescriptors();
    for (let round = 0; round < 300; round++) {
      using opened = openNamespace(path);
      opened.sysctlTree('ipv6');
      expect(readSysctl(opened, 'net/ipv4/ip_forward')).toBe(foreign);
    }
    expect(readSysctl(kept, 'net/ipv4/ip_forward')).toBe(foreign);
    await expect.poll(() => openDescriptors()).toEqual(before);
  });

  test('that do not exist are undefined to read and ENOENT to write', () => {
    expect(readSysctl(namespace, 'net/ipv4/conf/nothing/forwarding')).toBeUndefined();
    expect(() => writeSysctl(namespace, 'net/ipv4/conf/nothing/forwarding', '1')).toThrow('ENOENT');
    expect(() => writeSysctl(namespace, 'net/ipv4/ip_forward', 'many')).toThrow('EINVAL');
  });

  test.each([
    '',
    '/net',
    'net',
    'net/../kernel/hostname',
    'net//ipv4',
    'net/ipv4/',
    'a/b\0c',
    'net/./ipv4',
    'net/..',
  ])('the key %j is refused', (key) => {
    expect(() => readSysctl(namespace, key)).toThrow(RangeError);
  });
});

describe('spawning inside', () => {
  test('runs the child in the namespace and keeps its pipes and exit status', async () => {
    const child = spawnIn(namespace, 'sh', ['-c', 'readlink /proc/self/ns/net; exit 7'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
    const [status] = await once(child, 'close');
    expect(status).toBe(7);
    expect(`4:${/\d+/.exec(Buffer.concat(output).toString())?.[0]}`.split(':')[1]).toBe(
      namespace.id.split(':')[1],
    );
  });

  test('reports a command that does not exist as spawn does', async () => {
    const [error] = await once(spawnIn(namespace, join(folder, 'no-such-command'), []), 'error');
    expect(error).toMatchObject({ code: 'ENOENT' });
  });
});
