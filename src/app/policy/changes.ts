/** Objects as changes of what the engine knows. */
import { type GraphChange, translate } from '#core/policy/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { PolicyUsageError } from './objects.ts';

/** What applying the objects, or deleting them, would change. Throws PolicyUsageError for one that is not as it should be. */
export function changesOf(objects: readonly KubeObject[], isDeletion: boolean): GraphChange[] {
  return objects.flatMap((object): GraphChange[] => {
    const { fact, problems } = translate(object);
    const [problem] = problems;
    const name = `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    if (problem !== undefined) throw new PolicyUsageError(`${name}: ${problem.path}: ${problem.message}`);
    switch (fact?.is) {
      case 'policy':
        return [
          isDeletion
            ? { change: 'remove-policy', ref: fact.policy.ref }
            : { change: 'upsert-policy', policy: fact.policy },
        ];
      case 'tier':
        return [
          isDeletion
            ? { change: 'remove-tier', name: fact.tier.name }
            : { change: 'upsert-tier', tier: fact.tier },
        ];
      case 'member':
        return [
          isDeletion
            ? { change: 'remove-member', key: fact.member.key }
            : { change: 'upsert-member', member: fact.member },
        ];
      case 'namespace':
        return [{ change: 'upsert-namespace', name: fact.name, labels: isDeletion ? {} : fact.labels }];
      default:
        throw new PolicyUsageError(`${name}: what this would change is not known`);
    }
  });
}
