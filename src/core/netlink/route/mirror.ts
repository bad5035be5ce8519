/**
 * What rtnetlink tells of one namespace, as live state: fed with the messages of dumps and notifications, in the order they came.
 * It holds all links, their addresses, qdiscs and filters; of routes, rules, neighbours and forwarding entries what carries an owner's mark.
 */
import { familyOf } from '#base/ip/index.ts';
import {
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  type Owner,
  type Route,
  USUAL_OWNERS,
} from '#core/kernel/index.ts';
import { decodeMessage, HEADER_BYTES, messageFlags, messageType, NLM_F } from '../message.ts';
import { applyTraffic, filterRequests, isTrafficMessage } from '../traffic/mirror.ts';
import { addressMessage, RTM_ADDRESS } from './address.ts';
import { BRIDGE_FLAGS, bridgeMessage } from './bridge-message.ts';
import { firstVlansOf, vlansOf } from './bridge-vlans.ts';
import {
  addressOf,
  fdbOf,
  linkOf,
  neighbourOf,
  outputLinksOf,
  referencesOf,
  renameReferences,
  routeOf,
  ruleOf,
} from './decode.ts';
import { DUMP_KINDS, type DumpKind } from './dump.ts';
import { EchoQueue, linkOfEchoed } from './echo.ts';
import { RTM_LINK, seenLinkMessage } from './link.ts';
import { type LinkRecord, LinkTable } from './link-table.ts';
import { carriesIpv6, defaultPvidOf, hasIpv4Address, isIp, isPermanent } from './mirror-facts.ts';
import { withHops, withLink, withoutLink } from './mirror-objects.ts';
import { MirrorStore } from './mirror-store.ts';
import { NTF, neighbourMessage, RTM_NEIGHBOUR } from './neighbour.ts';
import { QuietChanges } from './quiet-changes.ts';
import { RTM_F_CLONED, RTM_ROUTE, routeMessage } from './route.ts';
import { FIB_RULE, RTM_RULE, ruleMessage } from './rule.ts';
import { AF } from './scope.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** Places of single fields in a message: family of all, rtm_protocol of routes. */
const FAMILY_AT = HEADER_BYTES;
const PROTOCOL_AT = HEADER_BYTES + 5;

/**
 * A mirror of one namespace; its state is live.
 *
 * The kernel does not announce all it does (seen on Linux 6.18); these are followed here:
 * - Link goes down: its IPv4 routes vanish unannounced, but for those of host scope; IPv6 routes are announced, unless
 *   net.ipv6.route.skip_notify_on_dev_down is set. Neighbours are announced; VXLAN forwarding entries stay.
 * - A multipath route whose links are not all down stays, its dead next hops marked; IPv4 and IPv6 alike, unannounced.
 * - Last IPv4 address of a link removed: its IPv4 routes vanish unannounced, even those of host scope.
 * - Address removed that routes prefer as source: such IPv4 routes vanish (announced since some release); of such IPv6
 *   routes the preference vanishes unannounced.
 * - Link removed: besides, IPv4 multipath routes over it vanish wholly and unannounced, IPv6 ones lose that next hop, announced.
 * - MTU under 1280: all that is IPv6 on the link vanishes, after the link was announced; routes perhaps unannounced, as above.
 * - Link removed that filters redirect to: they stay, with no link to redirect to, unannounced.
 * - Default VLAN of a bridge changed: its ports have the new one, unannounced, but for a group of its own (RTNLGRP_BRVLAN).
 * - Alias and address generation changed while a link is down: unannounced (encode-link.ts provokes an announcement).
 * Not followed: a permanent neighbour that changes its protocol number and nothing else (encode-neighbour.ts sees to our own);
 *   disable_ipv6 with skip_notify_on_dev_down set, and what others do to the alias of a link that is down.
 */
export class RouteMirror {
  /** The live map the mirror was given, or its own. */
  readonly state: KernelState;
  private readonly owned: ReadonlySet<number>;
  private readonly links = new LinkTable();
  private readonly store: MirrorStore;
  /** Is told of own changes that the kernel does not announce. */
  readonly quiet: QuietChanges;
  /** What the mirrors of traffic control and WireGuard work on. */
  readonly parts: Parameters<typeof filterRequests>[0];
  /** Messages about links not yet heard of, by ifindex: a dump of links is older than the dumps after it. */
  private readonly waiting = new WaitingMessages();
  private readonly echoes = new EchoQueue();
  private readonly stale = new Set<DumpKind>();
  /** How many forwarding entries of VXLAN devices the kernel has told to be gone. */
  removedEntries = 0;
  private resync: { readonly kinds: ReadonlySet<DumpKind>; readonly links: Set<number> } | undefined;

  /** Routes, neighbours and rules are shown where they carry one of these owners' marks. */
  constructor(state: Map<string, KernelObject> = new Map(), owners: readonly Owner[] = USUAL_OWNERS) {
    this.state = state;
    this.owned = new Set(owners.map((owner) => owner.protocol));
    this.store = new MirrorStore(state, this.links);
    this.parts = { links: this.links, store: this.store };
    this.quiet = new QuietChanges(this.parts, this.owned, this.stale);
  }

  /** Takes in one message of a dump or a notification; others are ignored. The bytes may be reused afterwards. Throws DecodeError. */
  apply(message: Uint8Array): void {
    const type = messageType(message);
    if (this.applyEcho(message)) return;
    if (this.resync?.kinds.has('fdb') && this.quiet.confirm(message)) return;
    switch (type) {
      case RTM_LINK.NEW:
      case RTM_LINK.DEL:
        return this.applyLink(message, type === RTM_LINK.NEW);
      case RTM_ADDRESS.NEW:
      case RTM_ADDRESS.DEL:
        return this.applyAddress(message, type === RTM_ADDRESS.NEW);
      case RTM_ROUTE.NEW:
      case RTM_ROUTE.DEL:
        return this.applyRoute(message, type === RTM_ROUTE.NEW);
      case RTM_NEIGHBOUR.NEW:
      case RTM_NEIGHBOUR.DEL:
        return this.applyNeighbour(message, type === RTM_NEIGHBOUR.NEW);
      case RTM_RULE.NEW:
      case RTM_RULE.DEL:
        return this.applyRule(message, type === RTM_RULE.NEW);
    }
    if (!isTrafficMessage(type)) return;
    const unknown = applyTraffic(message, type, this.parts);
    if (unknown !== undefined) this.waiting.add(unknown, message);
  }

  /** Told of a request that is about to be sent, the mirror knows its notification when it comes. */
  expect(request: Uint8Array, op: KernelOp): void {
    this.echoes.expect(request, op);
  }

  /** All requests were sent, and all notifications taken in that they led to. */
  expectNoMore(): void {
    this.echoes.clear();
  }

  /** The ifindex of a link by its present name. */
  indexOf(name: string): number | undefined {
    return this.links.named(name)?.index;
  }

  /** The dumps of filters, to follow that of qdiscs. */
  filterRequests(): Uint8Array[] {
    return filterRequests(this.parts);
  }

  /** The present name of a link by its ifindex. */
  nameOf(index: number): string | undefined {
    return this.links.nameOf(index);
  }

  /** Keys of objects that appeared, changed or vanished since the last call, other than as expected. */
  takeChanged(): Set<string> {
    return this.store.takeChanged();
  }

  /** What must be dumped again because the kernel may have changed it without saying so; undefined if nothing. */
  takeNeedsDump(): readonly DumpKind[] | undefined {
    if (this.stale.size === 0) return undefined;
    const kinds = [...this.stale];
    this.stale.clear();
    return kinds;
  }

  /** From here to endResync the messages of whole dumps of these kinds (dumpRequests) are fed in. */
  beginResync(kinds: readonly DumpKind[] = DUMP_KINDS): void {
    this.resync = { kinds: new Set(kinds), links: new Set() };
    for (const kind of kinds) this.stale.delete(kind);
    this.store.beginSweep();
  }

  /** What the dumps did not show is gone. */
  endResync(): void {
    const { resync } = this;
    if (resync === undefined) return;
    this.resync = undefined;
    if (resync.kinds.has('fdb')) this.quiet.dumpedEntries();
    if (resync.kinds.has('link')) {
      for (const record of this.links.all()) if (!resync.links.has(record.index)) this.removeLink(record);
    }
    this.store.endSweep(resync.kinds);
  }

  private applyLink(message: Uint8Array, isNew: boolean): void {
    const family = message[FAMILY_AT];
    if (family === AF.BRIDGE && isNew) return this.applyBridge(message);
    // A DELLINK of family AF_BRIDGE tells that a port left its bridge; other families tell of their own settings.
    if (family !== AF.UNSPEC) return;
    const { payload } = decodeMessage(seenLinkMessage, message);
    const { index } = payload;
    const { name } = payload.attributes;
    let record = this.links.get(index);
    if (!isNew) {
      if (record === undefined) this.waiting.take(index);
      else this.removeLink(record);
      return;
    }
    if (name === undefined) return;
    this.resync?.links.add(index);
    const holder = this.links.named(name);
    if (holder !== undefined && holder !== record) this.removeLink(holder);
    const references = referencesOf(payload);
    const former = record === undefined ? undefined : this.linkObject(record.name);
    const isSamePlace = references.master === record?.references.master;
    const isKnown = record?.name === name;
    const before = isKnown ? former : undefined;
    if (record === undefined) record = this.links.add(index, name, references);
    else if (!isKnown) this.renameLink(record, name);
    this.links.refer(record, references);
    const seen = linkOf(payload, (other) => this.links.nameOf(other));
    // No link message tells of VLANs; a port that leaves its bridge loses them.
    const vlans = former === undefined ? firstVlansOf(seen) : isSamePlace ? former.vlans : undefined;
    const link = vlans === undefined ? seen : { ...seen, vlans };
    this.store.put(link);
    if (!isKnown) this.refreshReferences(index);
    if (before?.up === true && link.up === false)
      this.dropRoutesOver(record, (route) => route.scope !== 'host');
    if (before !== undefined && carriesIpv6(before) !== carriesIpv6(link))
      this.markStale('link', 'address', 'route');
    if (before !== undefined && defaultPvidOf(before) !== defaultPvidOf(link)) this.markStale('vlan');
    this.replay(index);
  }

  /** What a bridge tells of a port, or of itself. */
  private applyBridge(message: Uint8Array): void {
    const { payload } = decodeMessage(bridgeMessage, message);
    const { port, bridge } = payload.attributes;
    // A network card that switches frames by itself speaks in this family too.
    if (((bridge?.flags ?? 0) & BRIDGE_FLAGS.SELF) !== 0) return;
    const name = this.links.nameOf(payload.index);
    const link = name === undefined ? undefined : this.linkObject(name);
    if (link === undefined || (link.detail.type !== 'bridge' && !link.master)) return;
    const { vlans: _before, ...rest } = link;
    const vlans = vlansOf(bridge?.vlans);
    this.store.place(keyOf(link), {
      ...rest,
      ...(port?.hairpin === undefined ? {} : { hairpin: port.hairpin !== 0 }),
      ...(port?.isolated === undefined ? {} : { isolated: port.isolated !== 0 }),
      ...(vlans === undefined ? {} : { vlans }),
    });
  }

  private applyAddress(message: Uint8Array, isNew: boolean): void {
    const { payload } = decodeMessage(addressMessage, message);
    const record = this.links.get(payload.index);
    if (record === undefined) return this.waiting.add(payload.index, message);
    const address = addressOf(payload, record.name);
    if (address === undefined) return;
    if (isNew) return this.store.put(address);
    if (!this.store.drop(keyOf(address))) return;
    const family = familyOf(address.address);
    if (family === 4 && !hasIpv4Address(record)) {
      this.dropRoutesOver(record, (route) => familyOf(route.dst) === 4);
    }
    if (this.store.isSource(address.address.slice(0, address.address.indexOf('/')))) this.markStale('route');
  }

  /** True if the message tells of a request under way, and of a link that still has its name. */
  private applyEcho(message: Uint8Array): boolean {
    const echo = this.echoes.take(message);
    if (echo === undefined) return false;
    const { object, key, index } = echo;
    if (this.links.get(index)?.name !== linkOfEchoed(object)) return false;
    if (object.kind === 'fdb') {
      if (this.linkObject(object.link)?.detail.type !== 'vxlan') return false;
    } else if (!this.owned.has(object.protocol)) return false;
    this.store.putAsked(key, object);
    return true;
  }

  private applyRoute(message: Uint8Array, isNew: boolean): void {
    const isOwned = this.owned.has(message[PROTOCOL_AT] as number);
    // Another's route is of interest only where it took the place of an owned one.
    if (!isOwned && !(isNew && (messageFlags(message) & NLM_F.REPLACE) !== 0)) return;
    if (!isIp(message[FAMILY_AT])) return;
    const { payload } = decodeMessage(routeMessage, message);
    if ((payload.flags & RTM_F_CLONED) !== 0 || payload.tos !== 0 || payload.srcLength !== 0) return;
    if (isOwned) {
      const unknown = outputLinksOf(payload).find((index) => this.links.get(index) === undefined);
      if (unknown !== undefined) return this.waiting.add(unknown, message);
    }
    const route = routeOf(payload, (index) => this.links.nameOf(index) ?? '');
    if (route === undefined) return;
    if (!isOwned) this.store.drop(keyOf(route));
    else if (isNew) this.store.put(route);
    else this.removeRoute(route);
  }

  /** IPv6 tells of next hops that leave a multipath route one by one; IPv4 of whole routes. */
  private removeRoute(gone: Route): void {
    const key = keyOf(gone);
    this.quiet.touch(key);
    const route = this.store.get(key);
    if (route?.kind !== 'route' || route.protocol !== gone.protocol) return;
    const left = route.nextHops.filter(
      (hop) => !gone.nextHops.some((lost) => lost.via === hop.via && lost.link === hop.link),
    );
    if (left.length === 0 || familyOf(gone.dst) === 4 || gone.nextHops.length === 0) this.store.drop(key);
    else this.store.place(key, withHops(route, left));
  }

  private applyNeighbour(message: Uint8Array, isNew: boolean): void {
    const family = message[FAMILY_AT];
    if (family !== AF.BRIDGE && !isIp(family)) return;
    const { payload } = decodeMessage(neighbourMessage, message);
    const { dst } = payload.attributes;
    if (dst === undefined || (payload.flags & NTF.PROXY) !== 0) return;
    const record = this.links.get(payload.index);
    if (record === undefined) {
      if (isPermanent(payload.state)) this.waiting.add(payload.index, message);
      return;
    }
    if (family === AF.BRIDGE) {
      const entry = fdbOf(payload, record.name);
      if (entry === undefined || this.linkObject(record.name)?.detail.type !== 'vxlan') return;
      const key = keyOf(entry);
      if (!isNew) this.removedEntries++;
      if (isNew && isPermanent(payload.state)) return this.store.put(entry);
      const known = this.store.get(key);
      if (known?.kind === 'fdb' && (isNew || known.dst === entry.dst)) this.store.drop(key);
      return;
    }
    const neighbour = isNew ? neighbourOf(payload, record.name) : undefined;
    if (neighbour !== undefined && this.owned.has(neighbour.protocol)) this.store.put(neighbour);
    else this.store.drop(keyOf({ kind: 'neighbour', link: record.name, address: dst, mac: '', protocol: 0 }));
  }

  private applyRule(message: Uint8Array, isNew: boolean): void {
    if (!isIp(message[FAMILY_AT])) return;
    const { payload } = decodeMessage(ruleMessage, message);
    if ((payload.flags & FIB_RULE.INVERT) !== 0) return;
    const rule = ruleOf(payload);
    if (rule === undefined || !this.owned.has(rule.protocol)) return;
    if (isNew) return this.store.put(rule);
    const known = this.store.get(keyOf(rule));
    if (known?.kind === 'rule' && known.protocol === rule.protocol) this.store.drop(keyOf(rule));
  }

  private linkObject(name: string): Link | undefined {
    const object = this.store.get(`link ${name}`);
    return object?.kind === 'link' ? object : undefined;
  }

  private markStale(...kinds: DumpKind[]): void {
    for (const kind of kinds) this.stale.add(kind);
    this.quiet.disturb(kinds);
  }

  /** Drops the routes that leave by this link alone; of multipath routes only a dump can tell. */
  private dropRoutesOver(record: LinkRecord, concerns: (route: Route) => boolean): void {
    this.quiet.disturb(['route']);
    for (const key of record.dependents) {
      const route = this.store.get(key);
      if (route?.kind !== 'route' || !concerns(route)) continue;
      if (route.nextHops.length > 1) this.markStale('route');
      else this.store.drop(key);
    }
  }

  private renameLink(record: LinkRecord, name: string): void {
    this.quiet.disturb();
    const moved: KernelObject[] = [];
    for (const key of [...record.dependents]) {
      const object = this.store.get(key);
      if (object !== undefined) moved.push(withLink(object, record.name, name));
      this.store.drop(key);
    }
    this.store.drop(`link ${record.name}`);
    this.links.rename(record, name);
    for (const object of moved) this.store.place(keyOf(object), object);
  }

  private removeLink(record: LinkRecord): void {
    this.quiet.disturb();
    for (const key of [...record.dependents]) {
      const object = this.store.get(key);
      const left = object === undefined ? undefined : withoutLink(object, record.name);
      if (left === undefined) this.store.drop(key);
      else this.store.place(key, left);
    }
    this.store.drop(`link ${record.name}`);
    this.links.delete(record);
    this.waiting.take(record.index);
    this.refreshReferences(record.index);
  }

  /** Links that name this one (their master, what they lie on) say its present name. */
  private refreshReferences(index: number): void {
    for (const record of this.links.referringTo(index)) {
      const link = this.linkObject(record.name);
      if (link === undefined) continue;
      const renamed = renameReferences(link, record.references, (other) => this.links.nameOf(other));
      this.store.place(keyOf(link), renamed);
    }
  }

  private replay(index: number): void {
    for (const message of this.waiting.take(index)) this.apply(message);
  }
}
