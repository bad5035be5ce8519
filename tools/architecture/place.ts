/**
 * Where a file stands: its room (base, core, io, app, testing, or a folder beside src) and its module (a folder of a
 * room, or a file that lies directly in one).
 */

export interface Place {
  /** `base`, `core`, …, or the first folder outside src: `tools`, `test`, `bench`. */
  readonly room: string;
  /** True for rooms of src. */
  readonly inSource: boolean;
  /** `src/core/netlink`, `src/base/backoff.ts`; outside src the room itself. */
  readonly module: string;
  /** The only file of the module that others may import; undefined outside src. */
  readonly entry: string | undefined;
}

/** Places a repository-relative path. */
export function placeOf(path: string): Place {
  const [first = '', room = '', name = '', ...inner] = path.split('/');
  if (first !== 'src') return { room: first, inSource: false, module: first, entry: undefined };
  const module = `src/${room}/${name}`;
  return { room, inSource: true, module, entry: inner.length === 0 ? module : `${module}/index.ts` };
}

/** `netlink` for `src/core/netlink`. */
export function moduleName(place: Place): string {
  return place.module.split('/')[2]?.replace(/\.ts$/, '') ?? place.module;
}

/** True for test files, by their name. */
export function isTest(path: string): boolean {
  return /\.test\.(ts|mjs)$/.test(path);
}
