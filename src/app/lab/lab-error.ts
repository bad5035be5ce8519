/** An error of the lab whose message says all: what is wrong, and what to do. */
export class LabError extends Error {
  override readonly name = 'LabError';
}
