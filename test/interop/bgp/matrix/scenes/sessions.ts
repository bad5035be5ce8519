/** How two come together: who connects, who is let in, what is said at the end. */
import { expect, vi } from 'vitest';
import { CEASE, ceaseOf } from '#core/bgp/wire/index.ts';
import { type FeatureId, partOf } from '../features.ts';
import { WAIT } from '../ours.ts';
import { ADDRESS, FAMILIES } from '../plan.ts';
import {
  neighborTo,
  PEER_ASN,
  PEER_PREFIXES,
  type Run,
  TO_US,
  TO_US6,
  US_PREFIXES,
  usFile,
  type World,
} from '../world.ts';

const session =
  (transport: 4 | 6): Run =>
  async (world) => {
    await world.plan([transport === 4 ? TO_US : TO_US6]);
    const neighbor = neighborTo('peer', PEER_ASN, 'us', transport);
    await using us = world.us({}, neighbor);
    await us.up('peer');
    for (const family of FAMILIES) {
      const { received } = await us.route(PEER_PREFIXES[family]);
      expect(received.asPath).toEqual([{ type: 'sequence', asns: [PEER_ASN] }]);
      expect(received.nextHop).toBe(ADDRESS.peer[family]);
      await us.until(
        `the peer lacks IPv${family}`,
        () => world.peer.routes(US_PREFIXES[family]).length === 1,
      );
      expect(world.peer.routes(US_PREFIXES[family])[0]).toMatchObject({
        asns: [65_001],
        nextHop: ADDRESS.us[family],
      });
    }
    us.configure(usFile({ routes: [] }, neighbor));
    await us.until('the peer has what was withdrawn', () =>
      FAMILIES.every((family) => world.peer.routes(US_PREFIXES[family]).length === 0),
    );
    expect(us.events.filter((event) => event.includes('fault'))).toEqual([]);
  };

const passive: Run = async (world) => {
  await world.plan([{ ...TO_US, isPassive: true }]);
  {
    await using us = world.us();
    await us.up('peer');
  }
  await world.plan([TO_US]);
  await using us = world.us({}, { passive: true });
  await us.up('peer');
};

const collision: Run = async (world) => {
  for (let round = 0; round < 3; round++) {
    await world.plan([TO_US]);
    await using station = world.station();
    await station.agreed();
    await vi.waitFor(() => expect(world.lan.connections('us')).toBe(1), WAIT);
    expect(station.runner.state.second).toBeUndefined();
  }
};

/** What the kernel has dropped at us, by the counter's name. */
function dropped({ lan }: World, name: string): number {
  const line = lan.run('us', 'nstat', '-asz', `TcpExt${name}`);
  return Number(new RegExp(String.raw`TcpExt${name}\s+(\d+)`).exec(line)?.[1] ?? 0);
}

const md5 =
  (transport: 4 | 6): Run =>
  async (world) => {
    await world.plan([{ ...(transport === 4 ? TO_US : TO_US6), password: 's3cret-14' }]);
    {
      await using station = world.station({ transport, password: 's3cret-14' });
      await station.agreed();
    }
    const before = dropped(world, 'TCPMD5Failure');
    await using station = world.station({ transport, password: 'another', config: { isPassive: true } });
    await station.until('the peer has not tried', () => dropped(world, 'TCPMD5Failure') > before);
    expect(station.news).toEqual([]);
  };

const gtsm =
  (transport: 4 | 6): Run =>
  async (world) => {
    const neighbor = transport === 4 ? TO_US : TO_US6;
    await world.plan([{ ...neighbor, hops: 1 }]);
    const file = { ...neighborTo('peer', PEER_ASN, 'us', transport), ttlSecurityHops: 1 };
    {
      await using us = world.us({}, file);
      await us.up('peer');
    }
    await world.plan([neighbor]);
    const before = dropped(world, 'TCPMinTTLDrop');
    await using us = world.us({}, { ...file, passive: true });
    await us.until('the peer has not tried', () => dropped(world, 'TCPMinTTLDrop') > before);
    expect(us.isUp('peer')).toBe(false);
  };

const shutdownText: Run = async (world) => {
  await world.plan([TO_US]);
  await using station = world.station();
  await station.agreed();
  // ExaBGP gives another reason while it has told no route yet.
  await station.route(PEER_PREFIXES[6]);
  world.peer.shutDown('until four');
  const words =
    partOf('shutdownText', world.name) !== undefined
      ? /administrative shutdown/
      : /administrative shutdown: "until four"/;
  await station.until('it does not say why', () => station.reasons.some((reason) => words.test(reason)));
  await station.route(PEER_PREFIXES[6]);
  station.runner.stop(ceaseOf(CEASE.shutdown, 'Wartung bis vier'));
  if (partOf('shutdownText', world.name) !== undefined) return;
  await station.until('it does not hear why', () => world.peer.lastWords.includes('Wartung bis vier'));
};

/** FRR answers no refresh before it has marked the end of its table, which it does to those who can restart. */
const restart = {
  restartTimeSec: 30,
  isRestarting: false,
  keepsAfterNotification: true,
  families: new Map(FAMILIES.map((family) => [family, { isForwardingKept: true }] as const)),
};

const refresh: Run = async (world) => {
  await world.plan([{ ...TO_US, isPassive: true, restart: { timeSec: 30 } }]);
  await using station = world.station({ config: { restart } });
  expect((await station.agreed()).hasRouteRefresh).toBe(true);
  for (const family of FAMILIES) {
    await station.route(PEER_PREFIXES[family]);
    station.announce(family, { nextHop: ADDRESS.us[family] }, US_PREFIXES[family]);
  }
  await station.until('the peer has no routes', () => world.peer.routes(US_PREFIXES[6]).length > 0);
  station.news.length = 0;
  for (const family of FAMILIES) station.runner.send({ type: 'refresh', family, subtype: 'request' });
  await station.until('nothing is told again', () =>
    FAMILIES.every((family) => station.routes.has(PEER_PREFIXES[family])),
  );
  if (world.name === 'GoBGP') return;
  world.peer.askAgain();
  await station.until('it does not ask', () =>
    FAMILIES.every((family) =>
      station.news.some(
        (each) => each.type === 'refresh' && each.subtype === 'request' && each.family === family,
      ),
    ),
  );
};

const enhancedRefresh: Run = async (world) => {
  await world.plan([{ ...TO_US, isPassive: true, restart: { timeSec: 30 } }]);
  await using station = world.station({ config: { restart } });
  expect((await station.agreed()).hasEnhancedRefresh).toBe(true);
  for (const family of FAMILIES) await station.route(PEER_PREFIXES[family]);
  station.news.length = 0;
  station.runner.send({ type: 'refresh', family: 4, subtype: 'request' });
  const order = () =>
    station.news.flatMap((news) => {
      if (news.type === 'refresh') return news.family === 4 ? [news.subtype] : [];
      return news.type === 'announced' && news.update.family === 4 ? ['announced'] : [];
    });
  await station.until('no end', () => order().includes('end'));
  expect(new Set(order())).toEqual(new Set(['begin', 'announced', 'end']));
  expect([order()[0], order().at(-1)]).toEqual(['begin', 'end']);
};

const bfd: Run = async (world) => {
  await world.plan([{ ...TO_US, hasBfd: true }]);
  await using us = world.us({}, { holdTimeSec: 90, bfd: { transmitMs: 100, receiveMs: 100, multiplier: 3 } });
  await us.up('peer');
  await us.route(PEER_PREFIXES[4]);
  await us.until('BFD is not up', () => us.service.neighbors()[0]?.bfd === 'up');
  world.lan.cut('peer');
  try {
    await us.until('it goes unnoticed', () => us.events.some((event) => /bfd/i.test(event)));
    await us.gone(PEER_PREFIXES[4]);
  } finally {
    world.lan.mend('peer');
  }
  await us.up('peer');
};

export const SESSION_RUNS = {
  session4: session(4),
  session6: session(6),
  passive,
  collision,
  md5v4: md5(4),
  md5v6: md5(6),
  gtsm4: gtsm(4),
  gtsm6: gtsm(6),
  shutdownText,
  refresh,
  enhancedRefresh,
  bfd,
} as const satisfies Partial<Record<FeatureId, Run>>;
