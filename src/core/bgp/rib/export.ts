/** From the tables to one peer: what it is owed, as announcements packed by attributes. Nothing is computed before the peer can take it. */
import type { Nlri, PathAttributes, RouteFamily } from '../model.ts';
import type { SessionSend } from '../ports.ts';
import { advertise, type ExportRefusal } from './advertise.ts';
import { Entry } from './attribute-pool.ts';
import type { FamilyTable } from './family-table.ts';
import type { PeerFamily, RibPeer } from './peer.ts';
import type { Tables } from './tables.ts';

/** What is to be sent, as it is gathered. */
interface Batch {
  readonly groups: Map<PathAttributes, Nlri[]>;
  readonly withdrawn: Nlri[];
  readonly nlriOf: (prefix: number) => Nlri;
}

/** Takes up to `budget` prefixes of what a peer is owed of one family. `isShared`: others are told the same before long. */
export function drainFamily(
  tables: Tables,
  peer: RibPeer,
  side: PeerFamily,
  budget: number,
  isShared: boolean,
): SessionSend[] {
  const { family, out } = side;
  const table = tables.families[family];
  const sends: SessionSend[] = [];
  if (out.refresh === 'begin') {
    sends.push({ type: 'refresh', family, subtype: 'begin' });
    out.refresh = 'end';
  }
  const nlriOf = (prefix: number): Nlri =>
    isShared ? table.nlri.of(prefix) : { prefix: table.prefixes.textOf(prefix) };
  const batch: Batch = { groups: new Map(), withdrawn: [], nlriOf };
  const addsPaths = sendsPaths(side);
  for (let left = budget; left > 0 && out.pending.size > 0; left--) {
    const prefix = out.pending.shift();
    if (addsPaths) visitPaths(tables, peer, side, table, prefix, batch);
    else visit(tables, peer, side, table, prefix, batch);
    table.prefixes.release(prefix);
  }
  sends.push(...sendsOf(batch, family, addsPaths));
  if (out.pending.size > 0) return sends;
  out.endForced();
  if (out.refresh === 'end') sends.push({ type: 'refresh', family, subtype: 'end' });
  out.refresh = 'none';
  if (out.owesEndOfRib) sends.push({ type: 'end-of-rib', family });
  out.owesEndOfRib = false;
  return sends;
}

/** Of several paths a new one is told before an old one is taken back: in between the peer has one at least. */
function sendsOf({ groups, withdrawn }: Batch, family: RouteFamily, addsPaths: boolean): SessionSend[] {
  const announced = [...groups].map(
    ([attributes, nlri]): SessionSend => ({ type: 'announce', update: { family, attributes, nlri } }),
  );
  if (withdrawn.length === 0) return announced;
  const taken: SessionSend = { type: 'withdraw', withdrawal: { family, nlri: withdrawn } };
  return addsPaths ? [...announced, taken] : [taken, ...announced];
}

/** Whether the peer is told paths with identifiers (RFC 7911), be it one or several. */
export function sendsPaths({ agreed }: PeerFamily): boolean {
  return agreed?.addPathSend === true;
}

function visit(
  tables: Tables,
  peer: RibPeer,
  { out }: PeerFamily,
  table: FamilyTable,
  prefix: number,
  batch: Batch,
): void {
  const best = table.best[prefix] as number;
  const told = out.sentOf(prefix);
  const entry = best === 0 ? undefined : advertise(tables, peer, table, best);
  if (entry instanceof Entry) {
    if (entry.id === told && !out.isForced(prefix)) {
      tables.pool.release(entry);
      return;
    }
    push(batch, entry.attributes, batch.nlriOf(prefix));
    out.setSent(prefix, entry.id, table.prefixes.capacity);
    if (told === 0) table.prefixes.hold(prefix);
    else tables.pool.release(tables.pool.at(told));
  } else if (told !== 0) {
    batch.withdrawn.push(batch.nlriOf(prefix));
    out.setSent(prefix, 0, table.prefixes.capacity);
    tables.pool.release(tables.pool.at(told));
    table.prefixes.release(prefix);
  }
}

function visitPaths(
  tables: Tables,
  peer: RibPeer,
  { out }: PeerFamily,
  table: FamilyTable,
  prefix: number,
  batch: Batch,
): void {
  const told = out.pathsOf(prefix);
  const paths: number[] = [];
  const isForced = out.isForced(prefix);
  const { prefix: text } = batch.nlriOf(prefix);
  for (const { route, entry } of pathsFor(tables, peer, table, prefix)) {
    const at = indexOfPath(told, route);
    if (at < 0 || told[at + 1] !== entry.id || isForced)
      push(batch, entry.attributes, { prefix: text, pathId: route });
    paths.push(route, entry.id);
  }
  for (let at = 0; at < told.length; at += 2)
    if (indexOfPath(paths, told[at] as number) < 0)
      batch.withdrawn.push({ prefix: text, pathId: told[at] as number });
  for (let at = 1; at < told.length; at += 2) tables.pool.release(tables.pool.at(told[at] as number));
  if (told.length === 0 && paths.length > 0) table.prefixes.hold(prefix);
  if (told.length > 0 && paths.length === 0) table.prefixes.release(prefix);
  out.setPaths(prefix, paths);
}

/** The paths a peer is told, best first, their attributes held for the caller. */
function pathsFor(
  tables: Tables,
  peer: RibPeer,
  table: FamilyTable,
  prefix: number,
): { readonly route: number; readonly entry: Entry }[] {
  const { addPathCount = 1 } = peer.policy;
  const max = addPathCount === 'all' ? Infinity : addPathCount;
  const found: { readonly route: number; readonly entry: Entry }[] = [];
  const seen = new Set<number>();
  while (found.length < max) {
    const route = tables.decision.best(table, prefix, seen);
    if (route === 0) break;
    seen.add(route);
    const entry: Entry | ExportRefusal = advertise(tables, peer, table, route);
    if (entry instanceof Entry) found.push({ route, entry });
  }
  return found;
}

/** Forgets what a peer was told, as its session is gone. */
export function forgetSent(tables: Tables, side: PeerFamily): void {
  const table = tables.families[side.family];
  const { out } = side;
  out.forEachSent((prefix) => {
    const told = out.sentOf(prefix);
    if (told !== 0) tables.pool.release(tables.pool.at(told));
    const paths = out.pathsOf(prefix);
    for (let at = 1; at < paths.length; at += 2) tables.pool.release(tables.pool.at(paths[at] as number));
    table.prefixes.release(prefix);
  });
  while (out.pending.size > 0) table.prefixes.release(out.pending.shift());
  out.clear();
}

function push({ groups }: Batch, attributes: PathAttributes, nlri: Nlri): void {
  const group = groups.get(attributes);
  if (group === undefined) groups.set(attributes, [nlri]);
  else group.push(nlri);
}

function indexOfPath(paths: readonly number[], route: number): number {
  for (let at = 0; at < paths.length; at += 2) if (paths[at] === route) return at;
  return -1;
}
