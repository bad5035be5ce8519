/** A folder with network namespaces of a test's own: gone with all that is in it at the end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNamespace, type Namespace, removeNamespace } from '#io/namespace/index.ts';

export class NamespaceFolder implements Disposable {
  readonly path: string;
  readonly #made: Namespace[] = [];

  /** `topic` is part of the folder's name, by which one sees whose it was. */
  constructor(topic: string) {
    this.path = mkdtempSync(join(tmpdir(), `poplin-${topic}-`));
  }

  /** Makes a namespace and its file in the folder. */
  make(name: string): Namespace {
    const namespace = createNamespace(join(this.path, name));
    this.#made.push(namespace);
    return namespace;
  }

  [Symbol.dispose](): void {
    for (const namespace of this.#made) {
      namespace.close();
      removeNamespace(namespace.path);
    }
    rmSync(this.path, { recursive: true });
  }
}
