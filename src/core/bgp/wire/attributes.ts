/** What an UPDATE's attributes are between wire and model, and what reading them depends on. */
import type { AsPathSegment, PathAttributes } from '../model.ts';
import type { Agreed } from '../ports.ts';

/** From the weakest to the strongest (RFC 7606 section 2, without "AFI/SAFI disable"). */
export type Treatment = 'attribute-discard' | 'treat-as-withdraw' | 'session-reset';

/** What reading and writing an UPDATE depends on; an Agreed is one. */
export interface UpdateContext
  extends Pick<Agreed, 'hasFourOctetAsn' | 'relation' | 'families' | 'peerAsn' | 'maxMessageBytes'> {
  /** RFC 4271 section 6.3: from an external peer a path has to begin with its AS. Not so behind a route server (RFC 7947). */
  readonly isFirstAsnChecked?: boolean;
}

/** Attributes as they are read, one by one; beside the model's those for peers with AS numbers of two octets (RFC 6793). */
export type WireAttributes = {
  -readonly [K in keyof PathAttributes]?: PathAttributes[K];
} & {
  as4Path?: readonly AsPathSegment[];
  as4Aggregator?: NonNullable<PathAttributes['aggregator']>;
};

/** Something that is wrong in an UPDATE, and what was done about it; what resets the session is thrown instead. */
export interface UpdateFault {
  /** The attribute's number; 0 for the list of attributes, or for prefixes. */
  readonly attribute: number;
  readonly treatment: Exclude<Treatment, 'session-reset'>;
  readonly reason: string;
}
