import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import {
  type ApplyOutcome,
  type KernelListener,
  type KernelObject,
  type KernelOp,
  keyOf,
  OVERLAY,
} from '#core/kernel/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { KernelLoop } from './kernel-loop.ts';

const { protocol, alias } = OVERLAY;
const device = (name: string): KernelObject => ({
  kind: 'link',
  name,
  detail: { type: 'dummy' },
  up: true,
  alias,
});
const foreignDevice = (name: string): KernelObject => ({
  kind: 'link',
  name,
  detail: { type: 'dummy' },
  up: true,
});
const route = (dst: string, link: string): KernelObject => ({
  kind: 'route',
  dst,
  nextHops: [{ link }],
  protocol,
});
const add = (object: KernelObject): KernelOp => ({ verb: 'add', object });
const remove = (object: KernelObject): KernelOp => ({ verb: 'remove', object });

/** A FakeKernel with gates: what happens before or instead of an apply. */
class GatedKernel extends FakeKernel {
  before: (ops: readonly KernelOp[]) => void | Promise<void> = () => undefined;
  running = 0;
  mostAtOnce = 0;

  /** Notifications are lost. */
  deaf = false;

  override watch(listener: KernelListener): Disposable {
    return super.watch({
      changed: (keys) => {
        if (!this.deaf) listener.changed(keys);
      },
      resynced: () => listener.resynced(),
    });
  }

  override async apply(ops: readonly KernelOp[]): Promise<ApplyOutcome> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running);
    try {
      await this.before(ops);
      return await super.apply(ops);
    } finally {
      this.running--;
    }
  }
}

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** Long enough for a pass that was put off, and for the one that its own changes lead to. */
const COLLECTED_MS = 200;

function setUp() {
  const clock = new SimClock();
  const kernel = new GatedKernel();
  const lines: Line[] = [];
  const logger = pino(
    { level: 'debug', base: null },
    { write: (text: string) => lines.push(JSON.parse(text) as Line) },
  );
  const loop = new KernelLoop({ kernel, owners: [OVERLAY], clock, random: () => 0, logger });
  const there = (object: KernelObject) => kernel.find(object) !== undefined;
  return { clock, kernel, loop, lines, there };
}

describe('KernelLoop', () => {
  it('removes and makes nothing before start, whatever happens', async () => {
    const { clock, kernel, loop } = setUp();
    kernel.foreign(add(device('left0')));
    loop.want('a', [device('new0')]);
    loop.trigger();
    kernel.foreign(add(foreignDevice('ext0')));
    kernel.overrun();
    await clock.advanceAsync(3_600_000);
    expect(kernel.journal).toEqual([]);
    expect(loop.status()).toMatchObject({ firstPassOps: undefined, passes: 0 });
  });

  it('makes all that is wanted and removes what is ours and not wanted once it is started', async () => {
    const { kernel, loop } = setUp();
    kernel.foreign(add(device('left0')), add(foreignDevice('ext0')));
    loop.want('a', [device('new0'), route('10.0.0.0/24', 'new0')]);
    loop.start();
    await settle();
    expect(kernel.journal).toEqual([
      'remove link left0 type dummy up',
      'add link new0 type dummy up',
      'add route 10.0.0.0/24 dev new0',
    ]);
    expect(loop.status()).toMatchObject({ firstPassOps: 3, ops: 3, failures: [], conflicts: [] });
  });

  it('plans nothing in its first pass where an earlier run left all as wanted', async () => {
    const { kernel, loop, lines } = setUp();
    kernel.foreign(add(device('a0')), add(route('10.0.0.0/24', 'a0')));
    loop.want('a', [device('a0'), route('10.0.0.0/24', 'a0')]);
    loop.start();
    await settle();
    expect(loop.status().firstPassOps).toBe(0);
    expect([kernel.journal, lines]).toEqual([[], []]);
  });

  it('carries a changed wish out when triggered, and says nothing where nothing changed', async () => {
    const { clock, kernel, loop, lines } = setUp();
    loop.start();
    loop.want('a', [device('a0')]);
    loop.trigger();
    await clock.advanceAsync(COLLECTED_MS);
    loop.want('a', [device('a0')]);
    loop.trigger();
    await clock.advanceAsync(COLLECTED_MS);
    expect(kernel.journal).toEqual(['add link a0 type dummy up']);
    expect(lines).toMatchObject([
      { level: 30, msg: 'kernel changed', ops: 1, added: 1, replaced: 0, removed: 0 },
      { level: 20, msg: 'kernel operations', first: ['add link a0 type dummy up'] },
    ]);
    loop.want('a', []);
    loop.trigger();
    await clock.advanceAsync(COLLECTED_MS);
    expect(kernel.journal).toEqual(['add link a0 type dummy up', 'remove link a0 type dummy up']);
  });

  it('carries out the first change at once, and what follows it together', async () => {
    const { clock, kernel, loop, lines } = setUp();
    loop.start();
    await clock.advanceAsync(COLLECTED_MS);
    const applied: number[] = [];
    kernel.before = (ops) => void applied.push(ops.length);
    for (let n = 0; n < 100; n++) {
      loop.want(`lease ${n}`, [device(`a${n}`)]);
      loop.trigger();
      await clock.advanceAsync(10);
      if (n === 0) expect(applied).toEqual([1]);
    }
    await clock.advanceAsync(COLLECTED_MS);
    expect(applied.reduce((sum, ops) => sum + ops)).toBe(100);
    expect(applied.length).toBeLessThanOrEqual(11);
    const told = lines.filter(({ msg }) => msg === 'kernel changed');
    expect(told[0]?.ops).toBe(1);
    expect(told.length).toBeLessThanOrEqual(3);
    await loop[Symbol.asyncDispose]();
    const all = lines.flatMap(({ msg, ops }) => (msg === 'kernel changed' ? [Number(ops)] : []));
    expect(all.reduce((sum, ops) => sum + ops)).toBe(100);
  });

  it('holds up nobody who waits, however much there is to collect', async () => {
    const { clock, kernel, loop, there } = setUp();
    loop.start();
    await settle();
    loop.want('lease', [device('a0')]);
    loop.trigger();
    loop.want('mine', [device('b0')]);
    const begin = clock.now();
    await loop.inPlace('mine');
    expect(await loop.ensure('pod', [device('pod0')])).toEqual([]);
    expect(clock.now()).toBe(begin);
    expect(['a0', 'b0', 'pod0'].map((name) => there(device(name)))).toEqual([true, true, true]);
    expect(kernel.mostAtOnce).toBe(1);
  });

  it('undoes what others do to it', async () => {
    const { clock, kernel, loop, there } = setUp();
    const objects = [device('a0'), route('10.0.0.0/24', 'a0'), route('fd00::/64', 'a0')];
    loop.want('a', objects);
    loop.start();
    await clock.advanceAsync(COLLECTED_MS);
    kernel.foreign(remove(device('a0')), add(route('10.9.0.0/24', 'lo')));
    await clock.advanceAsync(COLLECTED_MS);
    expect(objects.every(there)).toBe(true);
    expect(there(route('10.9.0.0/24', 'lo'))).toBe(false);
  });

  it('looks only at what changed, and at everything once a minute however busy it is', async () => {
    const { clock, kernel, loop, there } = setUp();
    loop.want('a', [device('a0')]);
    loop.start();
    await clock.advanceAsync(COLLECTED_MS);
    kernel.deaf = true;
    kernel.foreign(remove(device('a0')));
    kernel.deaf = false;
    for (let seconds = 5; seconds < 60; seconds += 5) {
      loop.want('busy', [{ kind: 'sysctl', path: 'net/ipv4/ip_forward', value: String(seconds % 2) }]);
      loop.trigger();
      await clock.advanceAsync(5000);
      expect(there(device('a0'))).toBe(false);
    }
    await clock.advanceAsync(5000);
    loop.trigger();
    await clock.advanceAsync(COLLECTED_MS);
    expect(there(device('a0'))).toBe(true);
  });

  it('looks at everything when notifications were lost', async () => {
    const { clock, kernel, loop, there } = setUp();
    loop.want('a', [device('a0')]);
    loop.start();
    await clock.advanceAsync(COLLECTED_MS);
    const { passes } = loop.status();
    kernel.overrun();
    await clock.advanceAsync(COLLECTED_MS);
    expect(loop.status().passes).toBe(passes + 1);
    expect(there(device('a0'))).toBe(true);
  });

  describe('ensure', () => {
    it('makes a part at once, also before start, and leaves the rest alone', async () => {
      const { kernel, loop } = setUp();
      kernel.foreign(add(device('left0')));
      loop.want('other', [device('other0')]);
      expect(await loop.ensure('pod', [device('pod0')])).toEqual([]);
      expect(kernel.journal).toEqual(['add link pod0 type dummy up']);
    });

    it('removes what the part had and has no more', async () => {
      const { kernel, loop } = setUp();
      await loop.ensure('pod', [device('pod0'), route('10.0.0.1/32', 'pod0')]);
      await loop.ensure('pod', [device('pod0')]);
      expect(kernel.journal.at(-1)).toBe('remove route 10.0.0.1/32 dev pod0');
    });

    it('returns what failed, in the words of the kernel', async () => {
      const { loop } = setUp();
      const failures = await loop.ensure('pod', [route('10.0.0.1/32', 'none0')]);
      expect(failures).toMatchObject([
        { code: 'ENODEV', message: 'add route 10.0.0.1/32 dev none0: no such device (ENODEV)' },
      ]);
    });

    it('is followed by a pass for what was wanted before without a trigger', async () => {
      const { clock, kernel, loop, there } = setUp();
      const old = route('10.0.0.1/32', 'pod0');
      await loop.ensure('pod', [device('pod0'), old]);
      loop.start();
      await clock.advanceAsync(COLLECTED_MS);
      kernel.deaf = true; // as where own changes are not told
      loop.want('pod', [device('pod0'), route('10.0.0.2/32', 'pod0')]);
      await loop.ensure('pod', [device('pod0'), route('10.0.0.2/32', 'pod0')]);
      await clock.advanceAsync(COLLECTED_MS);
      expect(there(old)).toBe(false);
    });

    it('leaves nothing to do for the passes after it', async () => {
      const { kernel, loop } = setUp();
      loop.start();
      await settle();
      await loop.ensure('pod', [device('pod0')]);
      await settle();
      expect(kernel.journal).toEqual(['add link pod0 type dummy up']);
    });

    it('never works at the same time as a pass', async () => {
      const { kernel, loop, there } = setUp();
      const gate = Promise.withResolvers<void>();
      kernel.before = () => gate.promise;
      loop.want('a', [device('a0')]);
      loop.start();
      await settle();
      const ensured = ['p', 'q', 'r'].map((name) => loop.ensure(name, [device(`${name}0`)]));
      await settle();
      gate.resolve();
      await Promise.all(ensured);
      expect(kernel.mostAtOnce).toBe(1);
      expect(['a0', 'p0', 'q0', 'r0'].every((name) => there(device(name)))).toBe(true);
    });
  });

  describe('where the kernel refuses', () => {
    const failing = route('10.0.0.0/24', 'none0');

    it('tries again later and later, and says so once', async () => {
      const { clock, kernel, loop, lines } = setUp();
      loop.want('a', [failing]);
      loop.start();
      await settle();
      const text = 'add route 10.0.0.0/24 dev none0: no such device (ENODEV)';
      expect(loop.status().failures).toEqual([text]);
      const tries: number[] = [];
      const begin = clock.now();
      kernel.before = () => void tries.push(clock.now() - begin);
      await clock.advanceAsync(1600);
      expect(tries).toEqual([50, 150, 350, 750, 1550]);
      expect(lines.map(({ level, msg, first }) => [level, msg, first])).toEqual([
        [40, 'kernel refused', [text]],
      ]);
    });

    it('never waits longer than ten seconds', async () => {
      const { clock, kernel, loop } = setUp();
      loop.want('a', [failing]);
      loop.start();
      await clock.advanceAsync(300_000);
      let tries = 0;
      kernel.before = () => void tries++;
      await clock.advanceAsync(100_000);
      expect(tries).toBeGreaterThanOrEqual(10);
    });

    it('holds up nothing else', async () => {
      const { clock, loop, there } = setUp();
      loop.want('a', [failing]);
      loop.start();
      await clock.advanceAsync(60_000);
      loop.want('b', [device('b0')]);
      loop.trigger();
      await clock.advanceAsync(COLLECTED_MS);
      expect(there(device('b0'))).toBe(true);
    });

    it('forgets the failure when it is over', async () => {
      const { clock, kernel, loop, there } = setUp();
      loop.want('a', [failing]);
      loop.start();
      await settle();
      kernel.foreign(add(foreignDevice('none0')));
      await clock.advanceAsync(200);
      expect(there(failing)).toBe(true);
      expect(loop.status().failures).toEqual([]);
      await clock.advanceAsync(50_000);
      expect(clock.pending).toBe(1); // the resync alone
    });

    it('forgets the failure when it is not wanted any more', async () => {
      const { clock, loop } = setUp();
      loop.want('a', [failing]);
      loop.start();
      await settle();
      loop.want('a', []);
      loop.trigger();
      await clock.advanceAsync(100);
      expect(loop.status().failures).toEqual([]);
    });

    it('takes it for done where what was to be removed is gone already', async () => {
      const { kernel, loop, lines } = setUp();
      kernel.foreign(add(device('left0')));
      kernel.before = () => kernel.foreign(remove(device('left0')));
      loop.start();
      await settle();
      expect(loop.status().failures).toEqual([]);
      expect(lines).toEqual([]);
    });

    it('compares everything again after a pass that broke off', async () => {
      const { clock, kernel, loop, lines, there } = setUp();
      let broken = 2;
      kernel.before = () => {
        if (broken-- > 0) throw new Error('socket closed');
      };
      loop.want('a', [device('a0')]);
      loop.start();
      await settle();
      expect(there(device('a0'))).toBe(false);
      await clock.advanceAsync(1000);
      expect(there(device('a0'))).toBe(true);
      expect(lines.filter(({ msg }) => msg === 'kernel pass broke off')).toHaveLength(1);
    });
  });

  describe('inPlace', () => {
    it('resolves once all of the part is in the kernel, whatever else fails', async () => {
      const { clock, kernel, loop } = setUp();
      loop.want('bad', [route('10.0.0.0/24', 'none0')]);
      loop.want('mine', [device('a0'), route('10.1.0.0/24', 'later0')]);
      loop.start();
      let done = false;
      void loop.inPlace('mine').then(() => {
        done = true;
      });
      await clock.advanceAsync(30_000);
      expect(done).toBe(false);
      kernel.foreign(add(foreignDevice('later0')));
      await clock.advanceAsync(11_000);
      expect(done).toBe(true);
      expect(loop.status().failures).toHaveLength(1);
    });

    it('does not take a foreign object of the same name for ours', async () => {
      const { clock, kernel, loop } = setUp();
      kernel.foreign(add(foreignDevice('a0')));
      loop.want('mine', [device('a0')]);
      loop.start();
      let done = false;
      void loop.inPlace('mine').then(() => {
        done = true;
      });
      await clock.advanceAsync(120_000);
      expect(done).toBe(false);
    });

    it('needs no other trigger', async () => {
      const { loop } = setUp();
      loop.start();
      await settle();
      loop.want('mine', [device('a0')]);
      await loop.inPlace('mine');
    });
  });

  it('names a foreign object in the way once, and takes the place when it is free', async () => {
    const { clock, kernel, loop, lines, there } = setUp();
    const onIt = route('10.0.0.0/24', 'a0');
    kernel.foreign(add(foreignDevice('a0')));
    loop.want('a', [device('a0'), onIt]);
    loop.start();
    await clock.advanceAsync(200_000);
    const message = 'link a0 is there already and is not ours';
    expect(loop.status()).toMatchObject({ conflicts: [message], failures: [] });
    expect(lines.map(({ msg, conflict }) => [msg, conflict])).toEqual([
      ['foreign object in the way', message],
    ]);
    expect([kernel.journal, there(onIt)]).toEqual([[], false]);
    kernel.foreign(remove(foreignDevice('a0')));
    await settle();
    expect(loop.status().conflicts).toEqual([]);
    expect(kernel.find(device('a0'))).toMatchObject({ alias });
  });

  it('shows in state the sysctls it wants, so that a change of one is noticed', async () => {
    const { clock, kernel, loop } = setUp();
    const sysctl = (value: string): KernelObject => ({ kind: 'sysctl', path: 'net/ipv4/ip_forward', value });
    loop.want('a', [sysctl('1')]);
    loop.start();
    await clock.advanceAsync(COLLECTED_MS);
    kernel.foreign({ verb: 'replace', object: sysctl('0'), previous: sysctl('1') });
    await clock.advanceAsync(COLLECTED_MS);
    expect(kernel.state().get(keyOf(sysctl('1')))).toEqual(sysctl('1'));
  });

  it('leaves the kernel as it is when it is disposed, and does nothing more', async () => {
    const { clock, kernel, loop, there } = setUp();
    loop.want('a', [device('a0')]);
    loop.want('bad', [route('10.0.0.0/24', 'none0')]);
    loop.start();
    await settle();
    await loop[Symbol.asyncDispose]();
    expect([there(device('a0')), clock.pending]).toEqual([true, 0]);
    kernel.foreign(remove(device('a0')));
    loop.trigger();
    await clock.advanceAsync(120_000);
    expect(there(device('a0'))).toBe(false);
  });
});
