/** Which packets are told of as answers of name servers, whichever way they go: see core/policy/compile/answers.ts. */
import { describe, expect, test, vi } from 'vitest';
import { decodePacketFlow, type LoggedPacket } from '#core/netlink/log/index.ts';
import type { Flow } from '#core/policy/index.ts';
import { POLICY_DNS_GROUP } from '#core/policy/names/index.ts';
import { PacketLog } from '#io/flow-log/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { Enforced } from './policy-contract.ts';
import { addressOf, type WorldMode } from './policy-world.ts';

const OUTSIDE = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;
const failing = (error: unknown) => {
  throw error;
};

const udp = (source: string, sourcePort: number, destination: string, destinationPort: number): Flow => ({
  ...{ source, sourcePort, destination, destinationPort },
  protocol: 17,
});

/** Defines the tests. */
export function answersContract(mode: WorldMode): void {
  describe.each([4, 6] as const)(`answers to pods that are ${mode}, over IPv%i`, (family) => {
    const [asker, other] = [addressOf(2, family), addressOf(3, family)];
    const outside = OUTSIDE[family];

    test('are told of if they were asked for, while a rule speaks of names', async () => {
      using pods = new Enforced(mode);
      for (const number of [2, 3]) {
        pods.attach(number);
        pods.know(number);
      }
      const speak = (domains: readonly string[] | undefined): Promise<void> => {
        const origin = { index: 0, path: 'rule' };
        const destination = { ports: [{ from: 53, to: 53 }] };
        const ask = { origin, action: 'allow', protocol: 17, source: {}, destination } as const;
        const named = {
          origin,
          action: 'allow',
          source: {},
          destination: { domains: domains ?? [] },
        } as const;
        pods.isolate(2, { egress: domains === undefined ? [ask] : [ask, named] });
        return pods.flush();
      };
      await speak(['a.example']);
      const logged: LoggedPacket[] = [];
      using namespace = openNamespace(pods.kernel.path);
      using _log = PacketLog.open({
        namespace,
        group: POLICY_DNS_GROUP,
        onPackets: (packets) => logged.push(...packets),
        onLost: failing,
        onError: failing,
      });
      const told = (): Flow[] => logged.map(({ payload }) => decodePacketFlow(payload));
      const pass = (...flows: readonly Flow[]): void => {
        for (const flow of flows) expect(pods.kernel.passes(flow), JSON.stringify(flow)).toBe(true);
      };

      const answers = [
        udp(outside, 53, asker, 40_001),
        udp(other, 53, asker, 40_002),
        udp(outside, 53, other, 40_003),
      ];
      // Nobody has asked.
      pass(udp(other, 53, asker, 40_009), udp(outside, 53, asker, 40_008), udp(asker, 40_007, other, 53));
      // Another port was asked.
      pass(udp(other, 40_004, outside, 5353), udp(outside, 5353, other, 40_004));
      for (const answer of answers)
        pass(udp(answer.destination, answer.destinationPort ?? 0, answer.source, 53), answer);
      await vi.waitUntil(() => logged.length >= answers.length, { timeout: 5000, interval: 5 });
      expect(told()).toEqual(answers);

      await speak(undefined);
      pass(...answers);
      await speak(['b.example']);
      pass(answers[0] as Flow);
      await vi.waitUntil(() => logged.length > answers.length, { timeout: 5000, interval: 5 });
      expect(told()).toEqual([...answers, answers[0]]);
    });
  });
}
