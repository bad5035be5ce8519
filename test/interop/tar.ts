/** Tar archives in the format of POSIX.1-1988 (ustar), as much of it as container images need: files, folders and symbolic links. */
const BLOCK = 512;

export type TarEntry =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly bytes: Uint8Array;
      readonly executable?: boolean;
    }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const TYPE_FLAGS = { file: '0', link: '2', folder: '5' } as const;

/** The archive; everything belongs to root and is as old as the epoch. Paths have at most 100 bytes. */
export function tar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const blocks = entries.flatMap((entry) => {
    if (entry.kind !== 'file') return [header(entry, 0)];
    const { bytes } = entry;
    const padding = new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK);
    return [header(entry, bytes.length), bytes, padding];
  });
  return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

function header(entry: TarEntry, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
  const isPlain = entry.kind === 'file' && entry.executable !== true;
  block.write(entry.path, 0, 100, 'utf8');
  octal(isPlain ? 0o644 : 0o755, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write(TYPE_FLAGS[entry.kind], 156, 'latin1');
  if (entry.kind === 'link') block.write(entry.target, 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  // The checksum counts its own field as spaces.
  block.fill(' ', 148, 156);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\x00 `,
    148,
    'latin1',
  );
  return block;
}
