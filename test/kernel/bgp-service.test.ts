/** Two speakers on a link that fails: what they hear of it, and what becomes of routes. */
import { afterAll, expect, test, vi } from 'vitest';
import { BgpService } from '#app/bgp/service/service.ts';
import { parseSpeakerFile } from '#app/bgp/speaker-file.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BgpLan } from '../interop/bgp/lan.ts';

const lan = new BgpLan('left', 'right');
const WAIT = { timeout: 30_000, interval: 20 };

afterAll(() => lan[Symbol.dispose]());

function serviceOn(name: 'left' | 'right', number: number, other: number): BgpService {
  const text = `
asn: 6500${number}
routerId: 10.0.0.${number}
routes: [10.${number}.0.0/16, 'fd0${number}::/64']
neighbors:
  - name: v4
    address: 10.77.0.${other}
    asn: 6500${other}
    families: [4]
    connectRetrySec: 0.2
    bfd: {transmitMs: 50, receiveMs: 50}
  - name: v6
    address: fd00:77::${other}
    asn: 6500${other}
    families: [6]
    connectRetrySec: 0.2
    bfd: {transmitMs: 50, receiveMs: 50}
`;
  const { namespace } = lan.node(name);
  return new BgpService(parseSpeakerFile(text, 'test'), {
    clock: systemClock,
    random: systemRandom,
    namespace,
  });
}

test('a link that fails without a word ends sessions of both families within moments, and they come back', async () => {
  await using left = serviceOn('left', 1, 2);
  await using right = serviceOn('right', 2, 1);
  const reasons: string[] = [];
  using _watch = left.watch((event) => {
    if (event.type === 'session' && !event.isUp) reasons.push(`${event.peer}: ${event.reason}`);
  });
  const learned = (service: BgpService) =>
    service.neighbors().map(({ families }) => families.map((family) => family.learned).join());
  const areKnown = (expected: readonly string[]) =>
    vi.waitFor(() => expect([learned(left), learned(right)]).toEqual([expected, expected]), WAIT);
  await areKnown(['1', '1']);
  const bfd = () => [...left.neighbors(), ...right.neighbors()].map((each) => each.bfd);
  await vi.waitFor(() => expect(bfd()).toEqual(['up', 'up', 'up', 'up']), WAIT);
  lan.cut('right');
  await vi.waitFor(() => expect(reasons).toHaveLength(2), WAIT);
  expect(reasons.toSorted().map((reason) => reason.split(':')[0])).toEqual(['v4', 'v6']);
  await areKnown(['0', '0']);
  lan.mend('right');
  await areKnown(['1', '1']);
});
