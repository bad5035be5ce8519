import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { packetOf } from '#testing/flow-packet.ts';
import { Interpreter, type Passing } from '#testing/nft-interpreter.ts';
import { networkPolicy, pod, rule, select } from '../engine/scene.fixture.ts';
import { GOLDENS, Scene } from './scenes.fixture.ts';

describe('the tables', () => {
  test.each(Object.entries(GOLDENS))('of %s are those of the golden file', (name, make) => {
    expect(make().print()).toBe(readFileSync(new URL(`./golden/${name}.nft`, import.meta.url), 'utf8'));
  });
});

describe('a change costs what it changes', () => {
  const digestless = (keys: readonly string[]): string[] =>
    keys.map((key) =>
      key
        .replace('nft ', '')
        .replace(' inet poplin-policy', '')
        .replaceAll(/-[0-9a-f]{16}/g, ''),
    );

  /** A hundred pods of which three are here, with one policy. */
  function busy(): Scene {
    const scene = new Scene();
    for (let number = 1; number <= 100; number++)
      scene.graph.upsertMember(pod(`shop/p${number}`, number, { app: number < 10 ? 'web' : 'front' }));
    scene.graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], { ingress: [rule({ selector: select('app=front') })] }),
    );
    for (const number of [1, 2, 3]) scene.attach(`shop/p${number}`, number);
    scene.flush();
    return scene;
  }

  test('one pod more somewhere: an element in each family', () => {
    const scene = busy();
    scene.graph.upsertMember(pod('shop/more', 200, { app: 'front' }));
    expect(digestless(scene.flush())).toEqual(['element members4 10.0.0.200', 'element members6 fd00::c8']);
    scene.graph.removeMember('pod shop/more');
    expect(digestless(scene.flush())).toEqual(['element members4 10.0.0.200', 'element members6 fd00::c8']);
  });

  test('another rule of a policy: its chain in each family, however many pods it selects', () => {
    const scene = busy();
    scene.graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], {
        ingress: [rule({ selector: select('app=front') }), rule({}, {}, { protocol: 1 })],
      }),
    );
    expect(digestless(scene.flush())).toEqual([
      'chain ingress4/NetworkPolicy/shop/web',
      'chain ingress6/NetworkPolicy/shop/web',
    ]);
  });

  test('another rule of the one policy of an egress: the chain that packets come to, and with a second policy both have their own', () => {
    const scene = busy();
    const out = (name: string, ports: readonly number[]): void =>
      scene.graph.upsertPolicy(
        networkPolicy(`shop/${name}`, ['app=web'], {
          egress: ports.map((port) => rule({}, { ports: [{ from: port, to: port }] }, { protocol: 6 })),
        }),
      );
    const rulesOf = (chain: RegExp): string =>
      new RegExp(`chain ${chain.source} {([^}]*)}`).exec(scene.print())?.[1] ?? '';
    out('a', [80]);
    scene.flush();
    expect(rulesOf(/egress4-\w+/)).toBe('\n\t\ttcp dport 80 return\n\t\tdrop\n\t');
    out('a', [80, 81]);
    expect(digestless(scene.flush())).toEqual(['chain egress4', 'chain egress6']);
    expect(rulesOf(/egress6-\w+/)).toContain('tcp dport 81 return');
    out('b', [82]);
    scene.flush();
    expect(rulesOf(/egress4\/NetworkPolicy\/shop\/a/)).toContain('tcp dport 81 meta mark set');
    expect(rulesOf(/egress4-\w+/)).toContain('jump egress4/NetworkPolicy/shop/b');
    scene.graph.removePolicy({ kind: 'NetworkPolicy', namespace: 'shop', name: 'a' });
    scene.flush();
    expect(rulesOf(/egress4-\w+/)).toBe('\n\t\ttcp dport 82 return\n\t\tdrop\n\t');
    expect(scene.print()).not.toContain('chain egress4/');
  });

  test('a net among thousands of hosts: a set, an element, and the rules that look there', () => {
    const scene = busy();
    const set = { key: 'set shop/s', kind: 'network-set', nets: ['192.0.2.0/24', '10.0.0.0/24'] } as const;
    scene.graph.upsertMember({ ...pod('shop/s', 9, { app: 'front' }), ...set });
    expect(digestless(scene.flush())).toEqual([
      'chain ingress4/NetworkPolicy/shop/web',
      'element members4-nets 10.0.0.0',
      'element members4-nets 192.0.2.0',
      'set members4-nets',
    ]);
  });

  test('a pod here that leaves: its own elements, and the chain of its link', () => {
    const scene = busy();
    scene.compiler.removeEndpoint('pod shop/p2');
    expect(digestless(scene.flush())).toEqual([
      'chain from-veth2',
      'element guarded-links veth2',
      'element ingress4 10.0.0.2',
      'element ingress6 fd00::2',
      'element local4 veth2 . 10.0.0.2',
      'element local6 veth2 . fd00::2',
      'element self4 10.0.0.2 . 10.0.0.2',
      'element self6 fd00::2 . fd00::2',
    ]);
  });

  test('a link that has another number: the element of either, and what it may send stays', () => {
    const scene = busy();
    scene.attach('shop/p2', 2, { linkNumber: 12 });
    expect(digestless(scene.flush())).toEqual(['element guarded-numbers 12']);
    scene.attach('shop/p2', 2, { linkNumber: 21 });
    expect(digestless(scene.flush())).toEqual(['element guarded-numbers 12', 'element guarded-numbers 21']);
    scene.attach('shop/p2', 2);
    expect(digestless(scene.flush())).toEqual(['element guarded-numbers 21']);
  });

  test('nothing: nothing', () => {
    const scene = busy();
    scene.graph.upsertMember(pod('shop/p50', 50, { app: 'front', unasked: 'x' }));
    expect(scene.flush()).toEqual([]);
    expect(scene.compiler.takeAmendment()).toEqual({ put: [], removed: [] });
  });
});

test('the guard says the same of a link by its number and by its name', () => {
  const scene = new Scene();
  scene.attach('shop/a', 1, { linkNumber: 11 });
  scene.attach('shop/b', 2);
  scene.flush();
  const rules = new Interpreter(scene.objects);
  const passes = (source: string, link: Pick<Passing, 'iif' | 'iifname'>): boolean => {
    const destination = source.includes(':') ? 'fd00::9' : '10.0.0.9';
    return rules.passes('prerouting', { bytes: packetOf({ source, destination, protocol: 6 }), ...link });
  };
  for (const [own, others] of [
    ['10.0.0.1', '10.0.0.2'],
    ['fd00::1', 'fd00::2'],
  ] as const)
    for (const link of [
      { iif: 11, iifname: 'veth1' },
      { iif: 12, iifname: 'veth1' }, // made anew
      { iif: 11, iifname: 'renamed' },
    ]) {
      expect(passes(own, link), `${own} ${JSON.stringify(link)}`).toBe(true);
      expect(passes(others, link), `${others} ${JSON.stringify(link)}`).toBe(false);
      // Whose link has no number is found by name, and whoever is no pod is not asked.
      expect(passes(own, { iif: 13, iifname: 'veth2' })).toBe(false);
      expect(passes(own, { iif: 14, iifname: 'eth0' })).toBe(true);
    }
});

describe('rules that decide', () => {
  /** Whatever goes on behind it tells of a decision; a rule that logs and does no more is a policy's own wish. */
  const TOLD = /log prefix "poplin:[^"]*" group 112 (?=.)/g;

  test.each(Object.entries(GOLDENS))(
    'of %s tell of it when that is wanted, and decide the same',
    (_, make) => {
      const scene = make();
      scene.compiler.tellFlows(false);
      scene.flush();
      const silent = scene.print();
      expect(silent).not.toMatch(TOLD);
      scene.compiler.tellFlows(true);
      const changed = scene.flush();
      for (const key of changed) expect(key).toMatch(/^nft chain /);
      const telling = scene.print();
      expect(telling.match(TOLD)?.length).toBeGreaterThanOrEqual(changed.length);
      expect(telling.replaceAll(TOLD, '')).toBe(silent);
      scene.compiler.tellFlows(true);
      expect(scene.flush()).toEqual([]);
      scene.compiler.tellFlows(false);
      expect(scene.flush()).toEqual(changed);
      expect(scene.print()).toBe(silent);
    },
  );
});

test('where nothing is done on bridges, nothing is wanted there', () => {
  const scene = new Scene();
  scene.attach('shop/a', 1, { bridge: 'cni0' });
  scene.flush();
  expect(scene.print()).not.toContain('table bridge');
  expect(scene.tables.filter(({ family }) => family === 'bridge')).toEqual([]);
});

test('an address that two pods have for a moment is that of the first by name, and then of the one that stays', () => {
  const scene = new Scene();
  scene.attach('shop/a', 1);
  scene.attach('shop/b', 1);
  scene.graph.upsertMember(pod('shop/a', 1, { app: 'a' }));
  scene.graph.upsertPolicy(networkPolicy('shop/a', ['app=a'], { ingress: [] }));
  scene.flush();
  expect(scene.print()).toMatch(/10\.0\.0\.1 : jump ingress4-/);
  scene.compiler.removeEndpoint('pod shop/a');
  scene.flush();
  expect(scene.print()).toContain('10.0.0.1 : jump unknown-ingress');
  scene.attach('shop/a', 1);
  scene.flush();
  expect(scene.print()).toMatch(/10\.0\.0\.1 : jump ingress4-/);
  expect(scene.print()).not.toContain('jump unknown-ingress');
});
