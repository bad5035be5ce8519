/**
 * Turns what the policy engine tells into desired nf_tables objects of this node. It is told of attachments and of deltas, and gives what has
 * to be amended in POLICY_PART: a change costs what it changes, and all of it is meant to be one transaction. What it wants depends on what it
 * was told, never on the order.
 */
import type { Amendment } from '#core/kernel/index.ts';
import type { PolicyDelta } from '../graph.ts';
import type { BridgeMode, LocalEndpoint } from './words.ts';

export interface PolicyCompilerOptions {
  readonly bridge: BridgeMode;
  /** Rules that decide tell who listens to POLICY_LOG_GROUP. */
  readonly flows: boolean;
}

export class PolicyCompiler {
  readonly options: PolicyCompilerOptions;

  constructor(options: PolicyCompilerOptions) {
    this.options = options;
  }

  /**
   * A pod is attached, or attached differently. As soon as a delta names its key, its policies count; until then, and when it is no member any
   * more, nothing passes if it is `closed` (but what its own node sends), and everything if it is `open`.
   */
  setEndpoint(_endpoint: LocalEndpoint, _whileUnknown: 'closed' | 'open'): void {
    throw new Error('not yet');
  }

  /** The pod is not attached any more. */
  removeEndpoint(_key: string): void {
    throw new Error('not yet');
  }

  /** Takes in a delta of PolicyGraph. Endpoints it speaks of need not be attached yet. */
  apply(_delta: PolicyDelta): void {
    throw new Error('not yet');
  }

  /** What is different since the last call: for DesiredState.amend(POLICY_PART, …). The first one has tables and base chains. */
  takeAmendment(): Amendment {
    throw new Error('not yet');
  }
}
