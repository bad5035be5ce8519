/** Which files of a kernel have to be loaded for some modules, and in which order: depmod's list, read. */

/**
 * Paths below the release's folder, dependencies first. `dependencies` is modules.dep, `builtin` is modules.builtin; a
 * module that is part of the kernel needs no file.
 * @throws {Error} naming a module that is in neither
 */
export function modulesInOrder(dependencies: string, builtin: string, names: readonly string[]): string[] {
  const rows = new Map(
    dependencies.split('\n').flatMap((line) => {
      const [path = '', needs = ''] = line.split(':');
      const files = needs.split(' ').filter((file) => file !== '');
      return path === '' ? [] : [[moduleName(path), [path, ...files]] as const];
    }),
  );
  const inside = new Set(builtin.split('\n').map(moduleName));
  const ordered = names.flatMap((name) => {
    const files = rows.get(moduleName(name));
    if (files !== undefined) return files.toReversed();
    if (inside.has(moduleName(name))) return [];
    throw new Error(`the kernel has no module ${name}`);
  });
  return [...new Set(ordered)];
}

/** `kernel/net/9p/9pnet-virtio.ko.xz` is module `9pnet_virtio`. */
function moduleName(path: string): string {
  return (path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
}
