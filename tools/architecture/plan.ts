/** The shape of the plan that tools/architecture.ts fills in, and of a fault found against it. */

/** A path pattern that a limit does not hold for, and why. */
export interface Exemption {
  readonly path: RegExp;
  readonly reason: string;
}

/** A word that may be part of names in the files of a path. */
export interface NameExemption extends Exemption {
  readonly word: string;
}

export interface Plan {
  /** Room to the rooms it may import. */
  readonly rooms: Readonly<Record<string, readonly string[]>>;
  /** Core module to the core modules it may import. */
  readonly coreArrows: Readonly<Record<string, readonly string[]>>;
  /** Folders inside a module that are large enough to have an entry of their own. */
  readonly innerModules: readonly string[];
  /** Room to the only packages it may import; rooms not listed may import any. `node:` counts as a package. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** Rooms that reach nothing but their arguments. */
  readonly pureRooms: readonly string[];
  /** Names those rooms may not refer to. */
  readonly impureNames: ReadonlySet<string>;
  readonly maxLines: number;
  readonly sizeExempt: readonly Exemption[];
  readonly maxHeaderLines: number;
  /** Words that say nothing, as part of a file name or exported name. */
  readonly emptyWords: ReadonlySet<string>;
  /** Where such a word is the proper one, because a foreign format or the kernel uses it. */
  readonly nameExempt: readonly NameExemption[];
}

export interface Fault {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly text: string;
}
