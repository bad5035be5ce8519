import {
  chmodSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type AttachmentId,
  addHostLocal,
  CNI_ERROR,
  isCniError,
  parseHostLocalConfig,
  parseNetworkConfig,
  type ReservedAddresses,
} from '#core/cni/index.ts';
import { addressStoreContract } from '#testing/cni/index.ts';
import { DiskAddressStore, type DiskAddressStoreOptions, flockDirectoryLock } from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'host-local-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;
const freshDir = () => join(root, `data${directories++}`);

const A: AttachmentId = { containerId: 'a', ifName: 'eth0' };
const B: AttachmentId = { containerId: 'b', ifName: 'eth0' };

function open(options: DiskAddressStoreOptions = {}, dataDir = freshDir()) {
  const store = new DiskAddressStore(options);
  const path = join(dataDir, 'net');
  return {
    dataDir,
    path,
    run: <T>(work: (addresses: ReservedAddresses) => T) => store.withNetwork({ name: 'net', dataDir }, work),
    write: (file: string, text: string) => writeFileSync(join(path, file), text),
    list: () => readdirSync(path).sort(),
    read: (file: string) => readFileSync(join(path, file), 'utf8'),
  };
}

/** As if the file had been written by somebody else a while ago. */
function age(path: string): void {
  utimesSync(path, 1_000_000_000, 1_000_000_000);
}

/** Inodes of files in a folder that are open here and have no name. */
function namelessIn(folder: string): Set<number> {
  const found = new Set<number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    const target = readlinkOf(`/proc/self/fd/${fd}`);
    if (target.startsWith(`${folder}/`) && target.endsWith(' (deleted)'))
      found.add(fstatSync(Number(fd)).ino);
  }
  return found;
}

function readlinkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed meanwhile
  }
}

test('a file that was made before it was needed is a reservation like any, whole from its first moment', async () => {
  const { run, path, read, write } = open();
  await run((addresses) => addresses.reserve('10.0.0.2', A, 0));
  await expect.poll(() => namelessIn(path).size).toBeGreaterThan(2);
  const spares = namelessIn(path);
  write('10.0.0.3', 'other\r\neth0');
  expect(await run((addresses) => addresses.reserve('10.0.0.3', B, 0))).toBe(false);
  expect(read('10.0.0.3')).toBe('other\r\neth0');
  expect(await run((addresses) => addresses.reserve('10.0.0.4', B, 0))).toBe(true);
  expect(read('10.0.0.4')).toBe('b\r\neth0');
  const { ino, mode, nlink } = statSync(join(path, '10.0.0.4'));
  expect([spares.has(ino), mode & 0o777, nlink]).toEqual([true, 0o600, 1]);
  expect(await run((addresses) => addresses.release(B))).toEqual(['10.0.0.4']);
  // A file system with an open file could not be unmounted.
  await expect.poll(() => namelessIn(path).size, { timeout: 10_000 }).toBe(0);
}, 15_000);

describe('the address store on disk', () => {
  addressStoreContract((isOwnerAlive) => ({
    store: new DiskAddressStore({ isOwnerAlive }),
    dataDir: freshDir(),
  }));
});

describe('the layout', () => {
  test('is one file for each address, one for the last of each range set, and lock', async () => {
    const net = open();
    await net.run((addresses) => {
      addresses.reserve('10.1.0.2', A, 0);
      addresses.reserve('fd00::2', A, 1);
    });
    expect(net.list()).toEqual(['10.1.0.2', 'fd00::2', 'last_reserved_ip.0', 'last_reserved_ip.1', 'lock']);
    expect(net.read('10.1.0.2')).toBe('a\r\neth0');
    expect(net.read('last_reserved_ip.0')).toBe('10.1.0.2');
    expect(net.read('last_reserved_ip.1')).toBe('fd00::2');
    expect(statSync(join(net.path, '10.1.0.2')).mode & 0o777).toBe(0o600);
    expect(statSync(net.path).mode & 0o777).toBe(0o755);
  });

  test('a shorter last address leaves nothing of a longer one', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.254', A, 0));
    await net.run((addresses) => addresses.reserve('10.1.0.2', B, 0));
    expect(net.read('last_reserved_ip.0')).toBe('10.1.0.2');
  });
});

describe('what others did to the directory', () => {
  test('a reservation made by another process is seen, and released by DEL', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    net.write('10.1.0.3', 'b\r\neth0');
    expect(await net.run((addresses) => addresses.release(B))).toEqual(['10.1.0.3']);
    expect(net.list()).not.toContain('10.1.0.3');
  });

  test('an address file that appeared unnoticed is not given a second time', async () => {
    const net = open();
    const outcome = await net.run((addresses) => {
      net.write('10.1.0.2', 'b\r\neth0');
      return [addresses.reserve('10.1.0.2', A, 0), addresses.isTaken('10.1.0.2')];
    });
    expect(outcome).toEqual([false, true]);
    expect(net.read('10.1.0.2')).toBe('b\r\neth0');
  });

  test('an address another process freed is free here too', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    unlinkSync(join(net.path, '10.1.0.2'));
    expect(await net.run((addresses) => addresses.isTaken('10.1.0.2'))).toBe(false);
  });

  test('an address that changed its owner is released by the new owner only', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    unlinkSync(join(net.path, '10.1.0.2'));
    net.write('10.1.0.2', 'b\r\neth0');
    expect(await net.run((addresses) => addresses.release(A))).toEqual([]);
    expect(await net.run((addresses) => addresses.release(B))).toEqual(['10.1.0.2']);
  });

  test('a directory that vanished is made again', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    rmSync(net.path, { recursive: true });
    expect(await net.run((addresses) => addresses.reserve('10.1.0.2', B, 0))).toBe(true);
  });

  test('files that are no addresses are left alone', async () => {
    const net = open();
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    net.write('README', 'a\r\neth0');
    mkdirSync(join(net.path, '10.1.0.9'));
    expect(await net.run((addresses) => addresses.release(A))).toEqual(['10.1.0.2']);
    expect(await net.run((addresses) => addresses.reserve('10.1.0.9', A, 0))).toBe(false);
    expect(existsSync(join(net.path, 'README'))).toBe(true);
  });

  test('a file of the old format, with the container alone, is released by any of its interfaces', async () => {
    const net = open();
    await net.run(() => {});
    net.write('10.1.0.2', 'a\n');
    expect(await net.run((addresses) => addresses.addressesOf(A))).toEqual(['10.1.0.2']);
    expect(await net.run((addresses) => addresses.release(A))).toEqual(['10.1.0.2']);
  });
});

describe('after a crash', () => {
  test('an old empty file, or one of zeros, is taken back', async () => {
    const net = open();
    await net.run(() => {});
    net.write('10.1.0.2', '');
    net.write('10.1.0.3', '\0\0\0\0');
    age(join(net.path, '10.1.0.2'));
    age(join(net.path, '10.1.0.3'));
    expect(await net.run((addresses) => [...addresses.taken()])).toEqual([]);
    expect(net.list()).toEqual(['lock']);
  });

  test('a fresh empty file may be a reservation in the making, unless the lock keeps everyone else out', async () => {
    const net = open();
    await net.run(() => {});
    net.write('10.1.0.2', '');
    expect(await net.run((addresses) => [...addresses.taken()])).toEqual(['10.1.0.2']);
    const locked = open({ lock: flockDirectoryLock(() => 0) }, net.dataDir);
    expect(await locked.run((addresses) => [...addresses.taken()])).toEqual([]);
  });

  test('an empty or damaged last address only loses the round robin', async () => {
    const net = open();
    await net.run(() => {});
    net.write('last_reserved_ip.0', '');
    expect(await net.run((addresses) => addresses.lastReserved(0))).toBeUndefined();
    net.write('last_reserved_ip.1', '10.1.0.2540');
    expect(await net.run((addresses) => addresses.lastReserved(1))).toBeUndefined();
  });

  test('a full pool takes back what dead owners hold before it refuses', async () => {
    const net = open({ isOwnerAlive: (owner, network) => network === 'net' && owner.containerId !== 'dead' });
    const ipam = { type: 'host-local', subnet: '10.1.0.0/29', rangeEnd: '10.1.0.3' };
    const config = parseHostLocalConfig(parseNetworkConfig({ cniVersion: '1.0.0', name: 'net', ipam }));
    const add = (containerId: string) =>
      net.run(
        (addresses) => addHostLocal(config, { containerId, ifName: 'eth0' }, addresses).ips[0]?.address,
      );
    expect(await add('dead')).toBe('10.1.0.2/29');
    expect(await add('c1')).toBe('10.1.0.3/29');
    expect(await add('c2')).toBe('10.1.0.2/29');
    await expect(add('c3')).rejects.toThrow('no IP addresses available in range set: 10.1.0.1-10.1.0.3');
    expect(net.read('10.1.0.2')).toBe('c2\r\neth0');
  });

  test('with power durability the same files are written', async () => {
    const net = open({ durability: 'power' });
    await net.run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    expect(net.read('10.1.0.2')).toBe('a\r\neth0');
  });
});

describe('errors', () => {
  test('of the disk are CniError 5 and name the file', async () => {
    const dataDir = freshDir();
    writeFileSync(dataDir, 'a file where the directory should be');
    const net = open({}, dataDir);
    const error = await net.run(() => {}).catch((thrown: unknown) => thrown);
    expect(isCniError(error, CNI_ERROR.ioFailure)).toBe(true);
    expect(String(error)).toContain(`${dataDir}/net`);
    chmodSync(dataDir, 0o600);
  });

  test('of a lock that stays taken say so', async () => {
    const net = open({ lock: flockDirectoryLock(() => -11, 4) });
    await expect(net.run(() => {})).rejects.toThrow(/flock .*lock: still locked after 4 ms/);
  });
});

test('an address whose turn cannot be noted is given all the same, and belongs to its owner', async () => {
  const { path, run, list } = open();
  await run(() => undefined);
  mkdirSync(join(path, 'last_reserved_ip.0'));
  expect(await run((addresses) => addresses.reserve('10.1.0.2', A, 0))).toBe(true);
  expect(await run((addresses) => addresses.lastReserved(0))).toBe('10.1.0.2');
  expect(list()).toEqual(['10.1.0.2', 'last_reserved_ip.0', 'lock']);
  expect(await run((addresses) => addresses.release(A))).toEqual(['10.1.0.2']);
});
