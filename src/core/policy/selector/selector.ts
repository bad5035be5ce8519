/**
 * Selectors of all APIs in one form: a boolean expression over labels of a member, of its namespace and of its service account, and over
 * what the member is. matchLabels, matchExpressions and Calico's selector language are all written in it.
 * The canonical text of a selector is its identity: two that are written alike share their members and their set in the kernel.
 */

export type Selector =
  | { readonly op: 'all' }
  | { readonly op: 'none' }
  /** Two parts or more, in canonical form neither nested alike nor doubled. */
  | { readonly op: 'and' | 'or'; readonly parts: readonly Selector[] }
  | { readonly op: 'not'; readonly part: Selector }
  | { readonly op: 'has'; readonly of: LabelsOf; readonly key: string }
  /** The label is there and has one of the values; an empty list is `none`. */
  | { readonly op: 'in'; readonly of: LabelsOf; readonly key: string; readonly values: readonly string[] }
  | {
      readonly op: 'contains' | 'starts' | 'ends';
      readonly of: LabelsOf;
      readonly key: string;
      readonly value: string;
    };

/**
 * Whose labels: the member's own, those of its namespace, of its service account; `self` is what it is, with the keys `kind` (MemberKind),
 * `namespace`, `name`, `serviceAccount` and `node`. What a member has not (a node's namespace, say) has no labels.
 */
export type LabelsOf = 'member' | 'namespace' | 'service-account' | 'self';
