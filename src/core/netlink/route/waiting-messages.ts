/** Messages about links that are not known yet, in their order, until they are. */
export class WaitingMessages {
  private readonly byIndex = new Map<number, Uint8Array[]>();

  /** The bytes may be reused afterwards. */
  add(index: number, message: Uint8Array): void {
    const queue = this.byIndex.get(index);
    if (queue === undefined) this.byIndex.set(index, [message.slice()]);
    else queue.push(message.slice());
  }

  /** Those about a link, which wait no more. */
  take(index: number): readonly Uint8Array[] {
    const queue = this.byIndex.get(index) ?? [];
    this.byIndex.delete(index);
    return queue;
  }
}
