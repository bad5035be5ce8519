/**
 * The value of a subnet key: `{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{…}}`, flannel's
 * LeaseAttrs (pkg/lease/lease.go), read as Go reads JSON: names in any case, the last of a kind counts, unknown ones are passed over.
 * One of those is ours: `PoplinOwner` tells two nodes with one address apart. What does not change is written back as it was read.
 */
import { parseTree } from 'jsonc-parser';
import { canonicalIp, familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import type { BackendData } from '../model.ts';

/** Who wrote a value, where it was Poplin. */
export interface SubnetOwner {
  readonly node: string;
  readonly uid: string;
}

/** What a value says; an address of zeros is none. */
export interface SubnetValue {
  readonly publicIp?: IpAddress;
  readonly publicIpv6?: IpAddress;
  readonly backendType: string;
  readonly backendData?: BackendData;
  readonly backendV6Data?: BackendData;
  readonly owner?: SubnetOwner;
}

export type ValueReading =
  | { readonly ok: true; readonly value: SubnetValue }
  | { readonly ok: false; readonly reason: string };

/** A member of the object; its value as it stands in the text. */
type Member = readonly [name: string, raw: string];

/** In the order in which flannel writes them. */
const NAMES = [
  'PublicIP',
  'PublicIPv6',
  'BackendType',
  'BackendData',
  'BackendV6Data',
  'PoplinOwner',
] as const;
type Name = (typeof NAMES)[number];

/** Never throws. */
export function readSubnetValue(text: string): ValueReading {
  const known = knownIn(text);
  if (typeof known === 'string') return { ok: false, reason: known };
  const publicIp = addressOf(known.get('PublicIP'), 4);
  const publicIpv6 = addressOf(known.get('PublicIPv6') ?? undefined, 6);
  const backendType = known.get('BackendType') ?? '';
  const owner = ownerOf(known.get('PoplinOwner') ?? undefined);
  if (publicIp === null) return refusal('PublicIP', known, 'an IPv4 address');
  if (publicIpv6 === null) return refusal('PublicIPv6', known, 'an IPv6 address');
  if (typeof backendType !== 'string') return refusal('BackendType', known, 'a text');
  if (owner === null) return refusal('PoplinOwner', known, '{"Node":"…","UID":"…"}');
  const [backendData, backendV6Data] = [known.get('BackendData'), known.get('BackendV6Data')];
  return {
    ok: true,
    value: {
      ...(publicIp === undefined ? {} : { publicIp }),
      ...(publicIpv6 === undefined ? {} : { publicIpv6 }),
      backendType,
      ...(backendData === undefined ? {} : { backendData: backendData as BackendData }),
      ...(backendV6Data === undefined ? {} : { backendV6Data: backendV6Data as BackendData }),
      ...(owner === undefined ? {} : { owner }),
    },
  };
}

/**
 * A value as text. Over an earlier one (`before`), members keep their order and spelling, and those that are nobody's here stay; the
 * text itself comes back where nothing differs. Without one, or over what is no object, it is what flannel would write.
 */
export function writeSubnetValue(value: SubnetValue, before?: string): string {
  const found = before === undefined ? [] : membersOf(before);
  const members = typeof found === 'string' ? [] : found;
  const wanted = rawMembers(value, members.length === 0);
  const known = knownOf(members);
  const written: Member[] = [];
  let isChanged = before === undefined || members.length === 0;
  members.forEach(([name, raw], index) => {
    const meant = meaningOf(name);
    if (meant === undefined) return written.push([name, raw]);
    const isLast = !members.slice(index + 1).some(([later]) => meaningOf(later) === meant);
    const want = wanted.get(meant);
    if (isLast && isSame(meant, known.get(meant), want)) return written.push([name, raw]);
    isChanged = true;
    if (isLast && want !== undefined) written.push([name, want]);
    return undefined;
  });
  for (const name of NAMES) {
    const want = wanted.get(name);
    if (want === undefined || known.has(name)) continue;
    isChanged = true;
    written.push([name, want]);
  }
  if (before !== undefined && !isChanged) return before;
  return `{${written.map(([name, raw]) => `${JSON.stringify(name)}:${raw}`).join(',')}}`;
}

function rawMembers(value: SubnetValue, isNew: boolean): ReadonlyMap<Name, string | undefined> {
  const { publicIp, publicIpv6, backendType, backendData, backendV6Data, owner } = value;
  const raw = (part: unknown) => (part === undefined ? undefined : JSON.stringify(part));
  return new Map<Name, string | undefined>([
    // Go writes its zero values, and reads no address from null
    ['PublicIP', raw(publicIp ?? (isNew ? '0.0.0.0' : undefined))],
    ['PublicIPv6', raw(publicIpv6 ?? (isNew ? null : undefined))],
    ['BackendType', raw(backendType === '' ? undefined : backendType)],
    ['BackendData', raw(backendData)],
    ['BackendV6Data', raw(backendV6Data)],
    ['PoplinOwner', raw(owner && { Node: owner.node, UID: owner.uid })],
  ]);
}

/** The known members of an object, or why the text is none; without the places, which take long to find. */
function knownIn(text: string): ReadonlyMap<Name, unknown> | string {
  const object = objectIn(text);
  if (typeof object === 'string') return object;
  const known = new Map<Name, unknown>();
  for (const [name, value] of Object.entries(object)) {
    const meant = meaningOf(name);
    if (meant === undefined) continue;
    // An object does not tell which of several came last.
    if (known.has(meant)) return knownOf(placedMembers(text));
    known.set(meant, value);
  }
  return known;
}

function objectIn(text: string): object | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `its value is not JSON: ${excerpt(text)}`;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  return `its value is no JSON object: ${excerpt(text)}`;
}

/** The members of an object, or why the text is none. */
function membersOf(text: string): readonly Member[] | string {
  const object = objectIn(text);
  return typeof object === 'string' ? object : placedMembers(text);
}

function placedMembers(text: string): readonly Member[] {
  return (parseTree(text)?.children ?? []).flatMap(({ children: [name, node] = [] }): Member[] =>
    name === undefined || node === undefined
      ? []
      : [[String(name.value), text.slice(node.offset, node.offset + node.length)]],
  );
}

function knownOf(members: readonly Member[]): Map<Name, unknown> {
  const known = new Map<Name, unknown>();
  for (const [name, raw] of members) {
    const meant = meaningOf(name);
    if (meant !== undefined) known.set(meant, JSON.parse(raw));
  }
  return known;
}

const MEANINGS: ReadonlyMap<string, Name> = new Map(NAMES.map((name) => [name.toLowerCase(), name]));

function meaningOf(name: string): Name | undefined {
  return MEANINGS.get(name.toLowerCase());
}

/** Undefined for none, null for what is no address of the family. */
function addressOf(found: unknown, family: IpFamily): IpAddress | undefined | null {
  if (found === undefined) return undefined;
  const address = typeof found === 'string' ? canonicalIp(found) : undefined;
  if (address === undefined || familyOf(address) !== family) return null;
  return address === '0.0.0.0' || address === '::' ? undefined : address;
}

function ownerOf(found: unknown): SubnetOwner | undefined | null {
  if (found === undefined) return undefined;
  if (typeof found !== 'object' || found === null || !('Node' in found) || !('UID' in found)) return null;
  const { Node: node, UID: uid } = found;
  return typeof node === 'string' && typeof uid === 'string' ? { node, uid } : null;
}

function isSame(name: Name, found: unknown, wanted: string | undefined): boolean {
  if (name === 'PublicIP' || name === 'PublicIPv6') {
    const family = name === 'PublicIP' ? 4 : 6;
    const want: unknown = wanted === undefined ? undefined : JSON.parse(wanted);
    return addressOf(found ?? undefined, family) === addressOf(want ?? undefined, family);
  }
  if (name === 'PoplinOwner' && wanted !== undefined) {
    const [one, other] = [ownerOf(found), ownerOf(JSON.parse(wanted))];
    return one?.node === other?.node && one?.uid === other?.uid;
  }
  return JSON.stringify(found ?? undefined) === wanted || (found === '' && wanted === undefined);
}

function refusal(name: Name, known: ReadonlyMap<Name, unknown>, what: string): ValueReading {
  return { ok: false, reason: `its ${name} ${excerpt(JSON.stringify(known.get(name)))} is not ${what}` };
}

function excerpt(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
