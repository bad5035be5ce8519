import { describe, expect, it } from 'vitest';
import { cpioArchive } from './cpio.ts';

const HEADER_BYTES = 110;

/** Walks an archive as the kernel does (init/initramfs.c): every header and every content begins at a multiple of four. */
function read(archive: Buffer): { name: string; mode: string; content: string }[] {
  const found = [];
  for (let at = 0; at < archive.length; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [mode = 0, size = 0, nameBytes = 0] = [1, 6, 11].map(field);
    const body = (at + HEADER_BYTES + nameBytes + 3) & ~3;
    found.push({
      name: archive.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1),
      mode: mode.toString(8),
      content: archive.toString('utf8', body, body + size),
    });
    at = (body + size + 3) & ~3;
  }
  return found;
}

describe('a cpio archive', () => {
  it('holds folders, files and links, and ends with its trailer', () => {
    const archive = cpioArchive([
      { path: 'bin', kind: 'folder' },
      { path: 'bin/busybox', kind: 'file', content: new Uint8Array([0x61, 0x62, 0x63]), executable: true },
      { path: 'bin/sh', kind: 'link', content: 'busybox' },
      { path: 'list', kind: 'file', content: 'žluť\n' },
    ]);
    expect(archive.length % 4).toBe(0);
    expect(read(archive)).toEqual([
      { name: 'bin', mode: '40755', content: '' },
      { name: 'bin/busybox', mode: '100755', content: 'abc' },
      { name: 'bin/sh', mode: '120755', content: 'busybox' },
      { name: 'list', mode: '100644', content: 'žluť\n' },
      { name: 'TRAILER!!!', mode: '100644', content: '' },
    ]);
  });
});
