import type { KernelObject, KernelState } from '#core/kernel/index.ts';
import { DUMP_KINDS, type DumpKind } from './dump.ts';

export class RouteMirror {
  readonly state: KernelState;
  constructor(state: Map<string, KernelObject> = new Map()) {
    this.state = state;
  }
  /** Takes in one message of a dump or a notification; others are ignored. Throws DecodeError. */
  apply(message: Uint8Array): void {
    throw new Error(`not written yet: ${message.length}`);
  }
  indexOf(name: string): number | undefined {
    throw new Error(`not written yet: ${name}`);
  }
  /** Keys of objects that appeared, changed or vanished since the last call. */
  takeChanged(): Set<string> {
    throw new Error('not written yet');
  }
  /** What must be dumped again because the kernel changed it without saying so; undefined if nothing. */
  takeNeedsDump(): readonly DumpKind[] | undefined {
    throw new Error('not written yet');
  }
  beginResync(kinds: readonly DumpKind[] = DUMP_KINDS): void {
    throw new Error(`not written yet: ${kinds}`);
  }
  endResync(): void {
    throw new Error('not written yet');
  }
}
