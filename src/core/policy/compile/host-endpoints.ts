/**
 * The host endpoints of this node. Their base chains are there as long as one of them is, so that packets of nodes without any cost nothing.
 */
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { NftElement } from '#core/nft/index.ts';
import type { FailsafePort } from '../engine/index.ts';
import type { EndpointPolicies, TierStage } from '../graph.ts';
import type { Direction, Member } from '../model.ts';
import { FAMILIES } from './base-chains.ts';
import type { Chains, List } from './chains.ts';
import type { Claims } from './claims.ts';
import {
  addressMap,
  failsafeSet,
  linkMap,
  MLD,
  MLD_TYPES,
  QUESTIONS,
  type Question,
  questionRules,
} from './host-questions.ts';
import { isHost } from './nets.ts';
import type { Output } from './output.ts';
import { chainAt, elementAt, type SetShape, setAt } from './place.ts';
import type { Asked } from './policy-chain.ts';

type Failsafe = Readonly<Record<Direction, readonly FailsafePort[]>>;

/** One chain of one endpoint; undefined: nothing is asked there. */
interface Answer {
  readonly question: Question;
  readonly family: IpFamily;
  readonly asked: Asked;
  readonly list: List;
  readonly chain: string | undefined;
}

export class HostEndpoints {
  readonly #output: Output;
  readonly #chains: Chains;
  readonly #claims: Claims;
  readonly #failsafe: Failsafe;
  readonly #policies = new Map<string, EndpointPolicies>();
  readonly #answers = new Map<string, readonly Answer[]>();
  #isThere = false;

  constructor(output: Output, chains: Chains, claims: Claims, failsafe: Failsafe) {
    this.#output = output;
    this.#chains = chains;
    this.#claims = claims;
    this.#failsafe = failsafe;
  }

  has(key: string): boolean {
    return this.#policies.has(key);
  }

  set(key: string, policies: EndpointPolicies | undefined): void {
    const before = this.#answers.get(key) ?? [];
    if (policies === undefined) this.#policies.delete(key);
    else this.#policies.set(key, policies);
    const answers = policies === undefined ? [] : this.#answersOf(policies);
    this.#answers.set(key, answers);
    if (policies === undefined) this.#answers.delete(key);
    for (const { asked, list, chain } of before) if (chain !== undefined) this.#chains.release(asked, list);
    const member = policies?.endpoint;
    this.#claims.set(
      key,
      member === undefined ? [] : answers.flatMap((answer) => elementsOf(member, answer)),
    );
    this.#layBase();
  }

  #answersOf(stages: EndpointPolicies): Answer[] {
    return QUESTIONS.flatMap((question) => {
      const { direction, use, counts, isFinal } = question;
      const list: List = { stages: counted(stages[direction], counts), ...(isFinal && { isFinal }) };
      return FAMILIES.map((family): Answer => {
        const asked = { direction, family, use };
        const isAsked = isFinal || list.stages.length > 0;
        const chain = isAsked ? this.#chains.retain(asked, list) : undefined;
        return { question, family, asked, list, chain };
      });
    });
  }

  /** Sets and base chains of all questions: they are few, and put as they are. */
  #layBase(): void {
    const isNeeded = this.#policies.size > 0;
    if (!isNeeded && !this.#isThere) return;
    this.#isThere = isNeeded;
    for (const object of this.#baseObjects()) {
      if (isNeeded) this.#output.put(object);
      else this.#output.remove(object);
    }
  }

  #baseObjects(): KernelObject[] {
    const all = this.#answersOfAllLinks();
    return [
      setAt('inet', MLD_TYPES),
      ...MLD.map((type) => elementAt('inet', MLD_TYPES, [type])),
      ...(['ingress', 'egress'] as const).flatMap((direction) => this.#failsafeObjects(direction)),
      ...QUESTIONS.flatMap((question) => [
        ...FAMILIES.flatMap((family) => mapsOf(question, family).map((shape) => setAt('inet', shape))),
        chainAt('inet', question.name, questionRules(question, othersOf(question, all), this.#failsafe), {
          type: 'filter',
          policy: 'accept',
          ...question.hook,
        }),
      ]),
    ];
  }

  #failsafeObjects(direction: Direction): KernelObject[] {
    const ports = this.#failsafe[direction];
    const shape = failsafeSet(direction);
    if (ports.length === 0) return [];
    return [
      setAt('inet', shape),
      ...ports.map(({ protocol, port }) => elementAt('inet', shape, [protocol, port])),
    ];
  }

  /** Of several, the first by key. */
  #answersOfAllLinks(): readonly Answer[] {
    const keys = [...this.#policies].filter(([, { endpoint }]) => isOfAllLinks(endpoint)).map(([key]) => key);
    const [first] = keys.toSorted();
    return first === undefined ? [] : (this.#answers.get(first) ?? []);
  }
}

function mapsOf(question: Question, family: IpFamily): SetShape[] {
  return [linkMap(question, family), ...(question.isByAddress ? [addressMap(question, family)] : [])];
}

function othersOf(question: Question, answers: readonly Answer[]): Partial<Record<IpFamily, string>> {
  const found: Partial<Record<IpFamily, string>> = {};
  for (const answer of answers)
    if (answer.question === question && answer.chain !== undefined) found[answer.family] = answer.chain;
  return found;
}

/** What leads to the endpoint's chain, or past those of others: its addresses, if it is not of all links, and its link. */
function elementsOf(member: Member, { question, family, chain }: Answer): NftElement[] {
  if (isOfAllLinks(member)) return [];
  const data = chain === undefined ? ({ verdict: 'accept' } as const) : ({ verdict: 'goto', chain } as const);
  const { link } = member;
  const addresses = question.isByAddress
    ? member.nets.filter((net) => familyOf(net) === family && isHost(net))
    : [];
  return [
    ...addresses.map((net) =>
      elementAt('inet', addressMap(question, family), [net.slice(0, net.indexOf('/'))], { data }),
    ),
    ...(link === undefined ? [] : [elementAt('inet', linkMap(question, family), [link], { data })]),
  ];
}

/** Without a link it is about its addresses, if it has any. */
function isOfAllLinks({ link, nets }: Member): boolean {
  return link === '*' || (link === undefined && nets.length === 0);
}

function counted(stages: readonly TierStage[], counts: Question['counts']): TierStage[] {
  return stages.flatMap(({ tier, policies }) => {
    const found = policies.filter(counts);
    return found.length === 0 ? [] : [{ tier, policies: found }];
  });
}
