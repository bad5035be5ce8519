/** Errors as values, for tests that look at more of an error than its message. */

type ErrorClass<E> = abstract new (...args: never[]) => E;

/** The error of this class that `work` throws; undefined if it throws none. Other errors are thrown on. */
export function thrownBy<E extends Error>(kind: ErrorClass<E>, work: () => unknown): E | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
}

/** The error of this class with which `work` is rejected; undefined if it is fulfilled. Other errors are thrown on. */
export async function rejectionOf<E extends Error>(
  kind: ErrorClass<E>,
  work: Promise<unknown>,
): Promise<E | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
}
