/** What a policy says that is understood, and not carried out by agents: people would rely on it. docs/policy.md has the list. */
import type { translate } from '#core/policy/index.ts';
import type { Finding } from './report-objects.ts';

type Gap = Pick<Finding, 'path' | 'message'>;

const NAMES = 'matches no address: what names stand for is not known here';

/** One for each place in the object. */
export function gapsOf(fact: ReturnType<typeof translate>['fact']): Gap[] {
  if (fact?.is !== 'policy') return [];
  const { egress = [] } = fact.policy;
  const paths = egress
    .filter(({ destination }) => destination.domains !== undefined)
    .map(({ origin }) => `spec.${origin.path}.domainNames`);
  return [...new Set(paths)].map((path) => ({ path, message: NAMES }));
}
