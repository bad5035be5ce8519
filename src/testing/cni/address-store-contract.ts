/** What every AddressStore does, as tests: run by the store in memory and by the one on disk. */
import { expect, test } from 'vitest';
import type { AddressStore, AttachmentId, ReservedAddresses } from '#core/cni/index.ts';

const A = { containerId: 'a', ifName: 'eth0' };
const B = { containerId: 'b', ifName: 'eth0' };
const B1 = { containerId: 'b', ifName: 'net1' };

/** `open` makes an empty store in which owners are alive as `isOwnerAlive` says, and names a fresh directory for it. */
export function addressStoreContract(
  open: (isOwnerAlive: (owner: AttachmentId) => boolean) => { store: AddressStore; dataDir: string },
): void {
  const start = (isOwnerAlive: (owner: AttachmentId) => boolean = () => true) => {
    const { store, dataDir } = open(isOwnerAlive);
    return <T>(work: (addresses: ReservedAddresses) => T, name = 'net') =>
      store.withNetwork({ name, dataDir }, work);
  };

  test('an address is reserved once, whoever asks', async () => {
    const run = start();
    expect(await run((addresses) => addresses.reserve('10.1.0.2', A, 0))).toBe(true);
    expect(await run((addresses) => addresses.reserve('10.1.0.2', A, 0))).toBe(false);
    expect(await run((addresses) => addresses.reserve('10.1.0.2', B, 0))).toBe(false);
    expect(await run((addresses) => addresses.isTaken('10.1.0.2'))).toBe(true);
    expect(await run((addresses) => addresses.isTaken('10.1.0.3'))).toBe(false);
  });

  test('the last reserved address is kept for each range set', async () => {
    const run = start();
    expect(await run((addresses) => addresses.lastReserved(0))).toBeUndefined();
    await run((addresses) => addresses.reserve('10.1.0.200', A, 0));
    await run((addresses) => addresses.reserve('10.1.0.3', A, 0));
    await run((addresses) => addresses.reserve('fd00::2', A, 1));
    expect(await run((addresses) => [addresses.lastReserved(0), addresses.lastReserved(1)])).toEqual([
      '10.1.0.3',
      'fd00::2',
    ]);
  });

  test('an owner is a container and an interface, and its addresses are released together', async () => {
    const run = start();
    await run((addresses) => {
      addresses.reserve('10.1.0.2', B, 0);
      addresses.reserve('fd00::2', B, 1);
      addresses.reserve('10.1.0.3', B1, 0);
    });
    expect(await run((addresses) => addresses.addressesOf(B))).toEqual(['10.1.0.2', 'fd00::2']);
    expect(await run((addresses) => addresses.release(B))).toEqual(['10.1.0.2', 'fd00::2']);
    expect(await run((addresses) => addresses.release(B))).toEqual([]);
    expect(await run((addresses) => [...addresses.taken()])).toEqual(['10.1.0.3']);
  });

  test('networks of one directory do not see each other', async () => {
    const run = start();
    await run((addresses) => addresses.reserve('10.1.0.2', A, 0));
    expect(await run((addresses) => addresses.isTaken('10.1.0.2'), 'other')).toBe(false);
  });

  test('reclaim gives back what dead owners hold', async () => {
    const dead = new Set<string>();
    const run = start((owner) => !dead.has(owner.containerId));
    await run((addresses) => {
      addresses.reserve('10.1.0.2', A, 0);
      addresses.reserve('10.1.0.3', B, 0);
    });
    expect(await run((addresses) => addresses.reclaim())).toEqual([]);
    dead.add('b');
    expect(await run((addresses) => addresses.reclaim())).toEqual(['10.1.0.3']);
    expect(await run((addresses) => [...addresses.taken()])).toEqual(['10.1.0.2']);
  });

  test('retainOnly gives back what all others hold', async () => {
    const run = start();
    await run((addresses) => {
      addresses.reserve('10.1.0.2', A, 0);
      addresses.reserve('10.1.0.3', B, 0);
      addresses.reserve('10.1.0.4', B1, 0);
    });
    expect(await run((addresses) => addresses.retainOnly([B]))).toEqual(['10.1.0.2', '10.1.0.4']);
    expect(await run((addresses) => [...addresses.taken()])).toEqual(['10.1.0.3']);
  });

  test('many callers at once each get an address of their own', async () => {
    const run = start();
    const given = await Promise.all(
      Array.from({ length: 40 }, (_, caller) =>
        run((addresses) => {
          const free = Array.from({ length: 40 }, (_, i) => `10.1.0.${i + 2}`).find(
            (address) => !addresses.isTaken(address),
          );
          const owner = { containerId: `c${caller}`, ifName: 'eth0' };
          return free !== undefined && addresses.reserve(free, owner, 0) ? free : undefined;
        }),
      ),
    );
    expect(new Set(given).size).toBe(40);
    expect(given).not.toContain(undefined);
  });

  test('a caller that throws does not hold up the next', async () => {
    const run = start();
    await expect(
      run(() => {
        throw new RangeError('no');
      }),
    ).rejects.toThrow('no');
    expect(await run((addresses) => addresses.reserve('10.1.0.2', A, 0))).toBe(true);
  });
}
