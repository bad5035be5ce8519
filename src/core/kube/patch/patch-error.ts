/** A patch that cannot be read (`malformed`) or does not fit the object (`inapplicable`). */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly problem: 'malformed' | 'inapplicable';
  constructor(problem: 'malformed' | 'inapplicable', message: string) {
    super(message);
    this.problem = problem;
  }
}
