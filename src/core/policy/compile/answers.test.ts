import { expect, test } from 'vitest';
import { networkPolicy, pod, rule } from '../engine/scene.fixture.ts';
import { Scene } from './scenes.fixture.ts';

const speaking = (...domains: string[]) => networkPolicy('shop/out', [], { egress: [rule({}, { domains })] });
const silent = networkPolicy('shop/out', [], { egress: [rule({})] });

function scene(...[options]: ConstructorParameters<typeof Scene>): Scene {
  const made = new Scene(options);
  made.graph.upsertMember(pod('shop/web', 1));
  made.attach('shop/web', 1);
  made.flush();
  return made;
}

/** Where there are rules about answers. */
function places({ objects }: Scene): string[] {
  return objects
    .flatMap((each) =>
      each.kind === 'nft-chain' && each.name.endsWith('-answers') ? `${each.family} ${each.name}` : [],
    )
    .toSorted();
}

test.each([
  ['none', ['inet forward-answers', 'inet output-answers']],
  ['netfilter', ['inet forward-answers', 'inet output-answers']],
  ['conntrack', ['bridge forward-answers', 'inet forward-answers', 'inet output-answers']],
] as const)('with bridges judged by %s answers are logged while a rule speaks of names', (bridge, there) => {
  const one = scene({ bridge });
  const empty = one.print();
  expect(places(one)).toEqual([]);
  one.graph.upsertPolicy(speaking('a.example'));
  one.flush();
  expect(places(one)).toEqual(there);
  // Other names, and no pod that they are for.
  one.graph.upsertPolicy(speaking('b.example'));
  expect(one.flush().filter((key) => key.includes('answers'))).toEqual([]);
  expect(places(one)).toEqual(there);
  one.graph.upsertPolicy(silent);
  one.flush();
  expect(places(one)).toEqual([]);
  one.graph.removePolicy(silent.ref);
  one.flush();
  expect(one.print()).toBe(empty);
});

test('servers that are believed come and go with the rules', () => {
  const one = scene({ nameServers: ['192.0.2.0/24', '192.0.2.1/32'] });
  const empty = one.print();
  one.graph.upsertPolicy(speaking('a.example'));
  one.flush();
  expect(one.print()).toContain(
    'set name-servers4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 192.0.2.0/24 }',
  );
  expect(one.print()).toContain('ct original ip6 daddr @name-servers6');
  one.graph.removePolicy(silent.ref);
  one.flush();
  expect(one.print()).toBe(empty);
});
