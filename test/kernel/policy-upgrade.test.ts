/** A node whose tables are those of an earlier release, with two base chains for what is forwarded: ours take their place in one transaction. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allowTcp, Enforced, MANY_RULES, STRANGER, tcp } from './policy-contract.ts';
import { addressOf, NODE_ADDRESSES } from './policy-world.ts';

const EARLIER = join(import.meta.dirname, 'policy-earlier.nft');
const FAMILIES = [4, 6] as const;
/** What the earlier tables say, and more. */
function declared(): Enforced {
  const pods = new Enforced('routed');
  for (const number of [2, 3]) {
    pods.attach(number);
    pods.know(number);
  }
  pods.isolate(2, {
    egress: [allowTcp(80), allowTcp(81), ...MANY_RULES],
    ingress: [allowTcp(80), ...MANY_RULES],
  });
  pods.isolate(3, { ingress: [allowTcp(80), ...MANY_RULES] });
  return pods;
}

/** What both say of packets. */
function expectSame({ kernel }: Enforced, when: string): void {
  for (const family of FAMILIES) {
    const [from, to, stranger] = [addressOf(2, family), addressOf(3, family), STRANGER[family]];
    const passes = {
      in: kernel.passes(tcp(stranger, from, 80)),
      notIn: kernel.passes(tcp(stranger, from, 9999)),
      out: kernel.passes(tcp(from, stranger, 81)),
      notOut: kernel.passes(tcp(from, stranger, 9999)),
      both: kernel.passes(tcp(from, to, 80)),
      // Allowed by the source's policy, and not by the destination's.
      outAlone: kernel.passes(tcp(from, to, 81)),
      toNode: kernel.passes(tcp(from, NODE_ADDRESSES[family], 9999)),
      anothers: kernel.passes(tcp(to, stranger, 81), { from: 2 }),
    };
    const wanted = { in: true, out: true, both: true };
    const not = { notIn: false, notOut: false, outAlone: false, toNode: false, anothers: false };
    expect(passes, `IPv${family} ${when}`).toEqual({ ...wanted, ...not });
  }
}

test('tables of an earlier release are replaced, and nothing gets through meanwhile that both refuse', async () => {
  using pods = declared();
  const { kernel } = pods;
  pods.compiler.apply(pods.graph.takeDelta());
  const wanted = pods.compiler.takeAmendment();
  let meanwhile = 0;
  for (let round = 1; round <= 4; round++) {
    kernel.sh(`nft delete table inet poplin-policy 2>/dev/null || true; nft -f ${EARLIER}`);
    kernel.resync();
    expect(kernel.sh('nft list ruleset')).toContain('chain forward-egress');
    expectSame(pods, 'before');
    let isDone = false;
    const done = kernel.reset(wanted).finally(() => (isDone = true));
    while (!isDone) {
      expectSame(pods, 'meanwhile');
      meanwhile++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    expectSame(pods, 'after');
    expect(kernel.differences).toEqual([]);
    const rules = kernel.sh('nft list ruleset');
    for (const gone of ['forward-egress', 'forward-ingress', 'sources4', 'set guarded'])
      expect(rules).not.toContain(gone);
  }
  expect(meanwhile).toBeGreaterThan(3);
});
