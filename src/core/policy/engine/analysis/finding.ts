/** What is worth a look in a set of policies. */
import type { PolicyRef } from '../../model.ts';

export type FindingCode =
  | 'unknown-tier'
  | 'empty-policy'
  | 'selects-nothing'
  | 'peer-selects-nothing'
  | 'matches-nothing'
  | 'unknown-port-name'
  | 'shadowed-rule'
  | 'contradiction'
  | 'dns-blocked'
  | 'open-namespace';

export interface Finding {
  readonly code: FindingCode;
  /** `error`: it does not do what it says. `warning`: most likely a mistake. `info`: good to know. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly policy?: PolicyRef;
  /** Of findings about no policy. */
  readonly namespace?: string;
  /** The part of the document, such as `ingress[0].from[1]`. */
  readonly path?: string;
  /** What is the matter, and what to do. */
  readonly message: string;
}
