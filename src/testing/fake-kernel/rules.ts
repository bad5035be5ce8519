/** What a kernel allows and what follows from what: existence, dependencies and cascades of kernel objects. */
import { familyOf, prefixContains } from '#base/ip/index.ts';
import { type KernelObject, keyOf, type Link, linksOf, lowerLink, type Route } from '#core/kernel/index.ts';
import { FakeErrno, type FakeErrnoCode, type FakeState } from './errno.ts';
import { changeDefaultPvid, withVlans } from './vlans.ts';
import { isOfWireguard, removeWireguard, setWireguard } from './wireguard.ts';

/** Throws a FakeErrno if it is there already or lacks what it needs. */
export function addObject(state: FakeState, object: KernelObject): void {
  const key = keyOf(object);
  if (isOfWireguard(object)) return setWireguard(state, object);
  const isElsewhere = object.kind === 'link' && object.netns !== undefined;
  if (state.has(key) && object.kind !== 'sysctl' && !isElsewhere) throw new FakeErrno('EEXIST');
  requireDependencies(state, object);
  if (isElsewhere) return;
  state.set(key, object.kind === 'link' ? withVlans(state, storedLink(object)) : object);
  if (object.kind === 'link') addPeer(state, object);
}

/** Throws a FakeErrno if it is not there or lacks what it needs. */
export function replaceObject(state: FakeState, object: KernelObject, previous: KernelObject): void {
  if (object.kind === 'link') return replaceLink(state, object, previous);
  if (isOfWireguard(object)) return setWireguard(state, object);
  const key = keyOf(object);
  if (!state.has(key)) throw new FakeErrno(missingCode(object));
  requireDependencies(state, object);
  state.set(key, object);
}

function replaceLink(state: FakeState, link: Link, previous: KernelObject): void {
  // It leaves, under the name it has here, with all that is on it.
  if (link.netns !== undefined) return removeObject(state, previous);
  const key = keyOf(link);
  const before = state.get(key) as Link | undefined;
  if (before === undefined) throw new FakeErrno('ENODEV');
  requireDependencies(state, link);
  const { vlans: _kept, ...rest } = before;
  const detail = { ...before.detail, ...link.detail } as Link['detail'];
  const after = withVlans(state, storedLink({ ...rest, ...link, detail }), before);
  state.set(key, after);
  changeDefaultPvid(state, after, before);
  if (link.up === false) flushRoutes(state, link.name);
}

/** Removes an object and what goes with it. Throws a FakeErrno if it is not there. */
export function removeObject(state: FakeState, object: KernelObject): void {
  const key = keyOf(object);
  const found = state.get(key);
  if (isOfWireguard(object)) return removeWireguard(state, object);
  if (found === undefined) throw new FakeErrno(missingCode(object));
  state.delete(key);
  if (found.kind === 'link') dropLink(state, found);
  if (found.kind === 'qdisc' && found.parent === 'ingress')
    dropWhere(state, (each) => each.kind === 'filter' && each.link === found.link);
  if (found.kind === 'nft-table') dropTable(state, found.family, found.name);
  if (found.kind === 'nft-set') {
    dropWhere(
      state,
      (each) => each.kind === 'nft-element' && sameTable(each, found) && each.set === found.name,
    );
  }
}

function requireDependencies(state: FakeState, object: KernelObject): void {
  for (const name of linksOf(object)) {
    if (!state.has(`link ${name}`)) throw new FakeErrno(object.kind === 'sysctl' ? 'ENOENT' : 'ENODEV');
  }
  if (object.kind === 'link') requireLowerLinks(state, object);
  if (object.kind === 'route') requireReachable(state, object);
  if (object.kind === 'filter' && !state.has(`qdisc dev ${object.link} ingress`))
    throw new FakeErrno('EINVAL');
  if (object.kind === 'nft-chain' || object.kind === 'nft-set' || object.kind === 'nft-element') {
    if (!state.has(`nft table ${object.family} ${object.table}`)) throw new FakeErrno('ENOENT');
    if (
      object.kind === 'nft-element' &&
      !state.has(`nft set ${object.family} ${object.table} ${object.set}`)
    ) {
      throw new FakeErrno('ENOENT');
    }
  }
}

function requireLowerLinks(state: FakeState, link: Link): void {
  for (const name of [lowerLink(link), link.master]) {
    if (name && !state.has(`link ${name}`)) throw new FakeErrno('ENODEV');
  }
}

/** A gateway must lie on a link's network unless the next hop is onlink; the link must be up. */
function requireReachable(state: FakeState, route: Route): void {
  for (const hop of route.nextHops) {
    const link = state.get(`link ${hop.link}`) as Link | undefined;
    const unreachable = new FakeErrno(familyOf(route.dst) === 4 ? 'ENETUNREACH' : 'EHOSTUNREACH');
    if (link !== undefined && link.up !== true) throw unreachable;
    if (hop.via === undefined || hop.onlink === true) continue;
    const via = hop.via;
    const covered = [...state.values()].some(
      (each) =>
        each.kind === 'address' &&
        (hop.link === undefined || each.link === hop.link) &&
        prefixContains(each.address, via),
    );
    if (!covered) throw unreachable;
  }
}

/** A set or chain that a transaction removed must not be named by any rule that is there at its end. */
export function requireUnused(state: FakeState, object: KernelObject): void {
  if (object.kind !== 'nft-set' && object.kind !== 'nft-chain') return;
  if (state.has(keyOf(object))) return;
  for (const each of state.values()) {
    if (each.kind !== 'nft-chain' || !sameTable(each, object) || each.name === object.name) continue;
    // A name in a rule is a text value of one of its expressions, whatever the expression.
    if (JSON.stringify(each.rules).includes(JSON.stringify(object.name))) throw new FakeErrno('EBUSY');
  }
}

/** `up` absent means down, as a fresh link is; the peer lives on as a link of its own. */
function storedLink(link: Link): Link {
  const detail = link.detail.type === 'veth' ? ({ type: 'veth' } as const) : link.detail;
  return { ...link, detail, up: link.up ?? false };
}

function addPeer(state: FakeState, link: Link): void {
  if (link.detail.type !== 'veth' || link.detail.peer === undefined || link.detail.peer.netns !== undefined)
    return;
  const { name, mac, mtuBytes } = link.detail.peer;
  state.set(`link ${name}`, {
    kind: 'link',
    name,
    detail: { type: 'veth' },
    up: false,
    ...(mac !== undefined && { mac }),
    ...(mtuBytes !== undefined && { mtuBytes }),
  });
}

function dropLink(state: FakeState, link: Link): void {
  for (const object of [...state.values()]) {
    if (object.kind === 'link' && object.master === link.name) {
      const { vlans: _lost, ...port } = object;
      state.set(keyOf(object), { ...port, master: '' });
    }
    const stacked = object.kind === 'link' && lowerLink(object) === link.name;
    if (stacked && state.delete(keyOf(object))) dropLink(state, object);
  }
  for (const object of state.values()) {
    if (object.kind === 'filter' && object.link !== link.name && object.redirect === link.name)
      state.set(keyOf(object), { ...object, redirect: '' });
  }
  dropWhere(state, (object) => linksOf(object).includes(link.name));
}

function flushRoutes(state: FakeState, link: string): void {
  dropWhere(state, (object) => object.kind === 'route' && linksOf(object).includes(link));
}

function dropTable(state: FakeState, family: string, name: string): void {
  dropWhere(
    state,
    (object) => 'table' in object && 'family' in object && object.family === family && object.table === name,
  );
}

function dropWhere(state: FakeState, doomed: (object: KernelObject) => boolean): void {
  for (const [key, object] of state) if (doomed(object)) state.delete(key);
}

function sameTable(a: { family: unknown; table: unknown }, b: { family: unknown; table: unknown }): boolean {
  return a.family === b.family && a.table === b.table;
}

function missingCode(object: KernelObject): FakeErrnoCode {
  if (object.kind === 'link') return 'ENODEV';
  if (object.kind === 'address') return 'EADDRNOTAVAIL';
  if (object.kind === 'route') return 'ESRCH';
  return 'ENOENT';
}
