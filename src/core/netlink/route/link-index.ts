/** Link names and their numbers, as encoders need them, and the error for a name that has none. */

/** What an encoder asks of the world about links. */
export interface LinkIndex {
  /** ifindex by name, or undefined if there is no such link. */
  indexOf(name: string): number | undefined;
  /** A descriptor, open while the message is on its way, of the network namespace at a path. Throws what opening throws. */
  netnsFd(path: string): number;
}

/** An operation names a link that does not exist. */
export class MissingLinkError extends Error {
  override readonly name = 'MissingLinkError';
  readonly code = 'ENODEV';
  readonly link: string;

  constructor(link: string) {
    super(`link ${link} does not exist (ENODEV); add it first`);
    this.link = link;
  }
}

export const isMissingLink = (error: unknown): error is MissingLinkError => error instanceof MissingLinkError;

/** The number of a link; throws MissingLinkError. */
export function requireIndex(links: LinkIndex, name: string): number {
  const index = links.indexOf(name);
  if (index === undefined) throw new MissingLinkError(name);
  return index;
}
