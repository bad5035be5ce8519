import { describe, expect, it } from 'vitest';
import { modulesInOrder } from './modules.ts';

const DEPENDENCIES = [
  'kernel/fs/overlayfs/overlay.ko:',
  'kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs.ko.xz',
  'kernel/net/9p/9pnet.ko.xz:',
  'kernel/fs/netfs.ko.xz:',
  'kernel/drivers/char/virtio-rng.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko',
  '',
].join('\n');
const BUILTIN = 'kernel/drivers/virtio/virtio_pci.ko\n';

describe('modules in order', () => {
  it('come after what they depend on, whose list depmod writes from the last to load to the first', () => {
    expect(modulesInOrder(DEPENDENCIES, BUILTIN, ['virtio_rng'])).toEqual([
      'kernel/drivers/virtio/virtio_ring.ko',
      'kernel/drivers/virtio/virtio.ko',
      'kernel/drivers/char/virtio-rng.ko',
    ]);
  });

  it('are named once each, compressed or not, and not at all if the kernel has them inside', () => {
    expect(
      modulesInOrder(DEPENDENCIES, BUILTIN, ['virtio_pci', '9p', '9pnet', 'overlay', 'overlay']),
    ).toEqual([
      'kernel/fs/netfs.ko.xz',
      'kernel/net/9p/9pnet.ko.xz',
      'kernel/fs/9p/9p.ko.xz',
      'kernel/fs/overlayfs/overlay.ko',
    ]);
  });

  it('that the kernel does not have are named', () => {
    expect(() => modulesInOrder(DEPENDENCIES, BUILTIN, ['9p', 'virtiofs'])).toThrow(
      'the kernel has no module virtiofs',
    );
  });
});
