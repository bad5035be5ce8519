/**
 * What iptables' FORWARD chain drops, no accept of ours in nf_tables brings back: so where its policy is DROP (Docker's doing), the accepts for
 * the network go there too, as flannel's FLANNEL-FWD does, in a chain of our name at the end of FORWARD. Looked at now and then, since iptables
 * tells nobody of changes; nothing is put on a host where nothing drops.
 */
import type { Logger } from 'pino';
import { type Clock, delay } from '#base/clock.ts';
import { familyOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import {
  type IptablesRule,
  optionOf,
  parseListing,
  type RuleProgram,
  type RuleTool,
  targetOf,
} from '#core/cni/index.ts';

export const FORWARD_CHAIN = 'POPLIN-FWD';

/** The chain of one of the host's networks, by its number. */
export function forwardChain(network: number): string {
  return network === 0 ? FORWARD_CHAIN : `${FORWARD_CHAIN}-${network}`;
}
const COMMENT = 'poplin forward';
/** iptables waits so long for whoever changes rules at the same time. */
const WAIT = ['-w', '5'];
/** The kernel lacks the table, the family, or all of it: nothing in it drops. */
const NO_TABLE = /does not exist|not supported|No such file or directory/;
const PROGRAMS: Readonly<Record<IpFamily, RuleProgram>> = { 4: 'iptables', 6: 'ip6tables' };

/** What is to be done in one family's table `filter`, from what `iptables -S` prints of it. */
export interface ForwardPlan {
  /** Arguments of iptables, call by call. */
  readonly calls: readonly (readonly string[])[];
  /** Why forwarded packets of the network are dropped all the same. */
  readonly problem?: string;
}

/** `networks` are of the table's family; `isWanted`: false removes what was there, and only tells of the drop. */
export function planForwardAccept(
  listing: string,
  networks: readonly IpPrefix[],
  isWanted: boolean,
  chain = FORWARD_CHAIN,
): ForwardPlan {
  const { chains, rules } = parseListing(listing);
  const isDropping = /^-P FORWARD DROP$/m.test(listing);
  const forward = rules.filter((rule) => rule.chain === 'FORWARD');
  const jumps = forward.filter((rule) => targetOf(rule) === chain);
  const wanted = networks.flatMap((network) =>
    ['-s', '-d'].map((side) => [side, network, ...comment(), '-j', 'ACCEPT']),
  );
  const found = rules.filter((rule) => rule.chain === chain).map(({ args }) => args);
  const barrier = barrierProblem(forward, networks);
  if (!isWanted || !isDropping) {
    const gone = chains.has(chain)
      ? [...jumps.map(({ args }) => ['-D', 'FORWARD', ...args]), ['-F', chain], ['-X', chain]]
      : [];
    const problem = isDropping && !isAccepted(rules, networks) ? policyProblem(networks) : barrier;
    return { calls: gone, ...(problem !== undefined && { problem }) };
  }
  const isFilled = sameRules(found, wanted);
  return {
    calls: [
      ...(chains.has(chain) ? [] : [['-N', chain]]),
      ...(isFilled ? [] : [['-F', chain], ...wanted.map((args) => ['-A', chain, ...args])]),
      ...(jumps.length > 0 ? [] : [['-A', 'FORWARD', ...comment(), '-j', chain]]),
    ],
    ...(barrier !== undefined && { problem: barrier }),
  };
}

export interface ForwardAcceptOptions {
  readonly tool: RuleTool;
  readonly networks: readonly IpPrefix[];
  /** The chain of ours in iptables; absent: FORWARD_CHAIN. */
  readonly chain?: string;
  /** flannel's -iptables-forward-rules. */
  readonly isWanted: boolean;
  /** Between two looks. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps it so until disposal, which leaves the rules where they are. */
export class ForwardAccept implements AsyncDisposable {
  private readonly options: ForwardAcceptOptions;
  private readonly stop = new AbortController();
  private readonly problems = new Map<IpFamily, string>();
  private running: Promise<void> = Promise.resolve();

  constructor(options: ForwardAcceptOptions) {
    this.options = options;
  }

  /** Looks for the first time; rejects never: what fails is a problem, and is tried again. */
  async start(): Promise<void> {
    await this.look();
    this.running = this.keep();
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    return [...this.problems.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async keep(): Promise<void> {
    const { clock, periodMs } = this.options;
    for (;;) {
      await delay(clock, periodMs, this.stop.signal).catch(() => undefined);
      if (this.stop.signal.aborted) return;
      await this.look();
    }
  }

  private async look(): Promise<void> {
    for (const family of [4, 6] as const) {
      const networks = this.options.networks.filter((network) => familyOf(network) === family);
      if (networks.length > 0 && this.options.tool.has(PROGRAMS[family])) await this.lookAt(family, networks);
    }
  }

  private async lookAt(family: IpFamily, networks: readonly IpPrefix[]): Promise<void> {
    const { tool, isWanted, logger } = this.options;
    const program = PROGRAMS[family];
    let problem: string | undefined;
    try {
      const listing = await this.list(program);
      const plan = planForwardAccept(listing, networks, isWanted, this.options.chain);
      for (const args of plan.calls) await tool.run(program, [...WAIT, ...args]);
      if (plan.calls.length > 0) logger.info({ program, calls: plan.calls.length }, 'forward rules changed');
      problem = plan.problem;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    if (problem === undefined) this.problems.delete(family);
    else {
      if (this.problems.get(family) !== problem) logger.warn({ program, reason: problem }, 'forwarding');
      this.problems.set(family, problem);
    }
  }

  private async list(program: RuleProgram): Promise<string> {
    try {
      return await this.options.tool.run(program, [...WAIT, '-t', 'filter', '-S']);
    } catch (error) {
      if (error instanceof Error && NO_TABLE.test(error.message)) return '';
      throw error;
    }
  }
}

const comment = () => ['-m', 'comment', '--comment', COMMENT];

function sameRules(found: readonly (readonly string[])[], wanted: readonly (readonly string[])[]): boolean {
  return JSON.stringify(found) === JSON.stringify(wanted);
}

/** Somebody accepts all of it: flannel's chain that is still there, or the operator. */
function isAccepted(rules: readonly IptablesRule[], networks: readonly IpPrefix[]): boolean {
  return networks.every((network) =>
    ['-s', '-d'].every((side) =>
      rules.some((rule) => optionOf(rule, side) === network && targetOf(rule) === 'ACCEPT'),
    ),
  );
}

/** A rule of FORWARD that takes everything, and that no accept at the end comes before. */
function barrierProblem(forward: readonly IptablesRule[], networks: readonly IpPrefix[]): string | undefined {
  const at = forward.findIndex(({ args }) => args[0] === '-j' && ['DROP', 'REJECT'].includes(args[1] ?? ''));
  if (at < 0 || isAccepted(forward.slice(0, at), networks)) return undefined;
  const program = programOf(networks);
  return `rule ${at + 1} of ${program}' FORWARD (-j ${forward[at]?.args[1]}) takes all forwarded packets: ${remedy(networks)}`;
}

function policyProblem(networks: readonly IpPrefix[]): string {
  return `the policy of ${programOf(networks)}' FORWARD is DROP, which no accept elsewhere undoes: ${remedy(networks)}, or leave -iptables-forward-rules on`;
}

function remedy(networks: readonly IpPrefix[]): string {
  const program = programOf(networks);
  const commands = networks.flatMap((network) =>
    ['-s', '-d'].map((side) => `"${program} -I FORWARD ${side} ${network} -j ACCEPT"`),
  );
  return `run ${commands.join(' and ')}`;
}

function programOf([network = '']: readonly IpPrefix[]): RuleProgram {
  return PROGRAMS[network === '' ? 4 : familyOf(network)];
}
