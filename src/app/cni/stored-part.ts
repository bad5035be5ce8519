/** The text of an attachment's record, checked: what comes out can be planned and sent, whatever has become of the file. */
import { z } from 'zod';
import { canonicalIp, type IpAddress, type MacAddress, parseMac, parsePrefix } from '#base/ip/index.ts';
import type { Attachment, StaleFlows } from '#core/cni/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

/** The host's end of a pair that another implementation made. */
export interface ForeignLink {
  readonly name: string;
  /** Absent if it tells the link from no other. */
  readonly mac?: MacAddress;
}

/** The pod of an API server that is attached. */
export interface PodRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

export interface StoredPart {
  /** The part's name in the desired state: the alias of the attachment's links; a chained plugin's own follows behind `+`. */
  readonly part: string;
  /** Empty where nothing is on the host's side. */
  readonly objects: readonly KernelObject[];
  /** Its ADD has got no further than its addresses. */
  readonly pending?: boolean;
  readonly attachment: Attachment;
  /** The plugin that made it. */
  readonly plugin?: string;
  /** Whose it is, where a runtime of Kubernetes attached it; policy knows it by that, and by the addresses it was given. */
  readonly pod?: PodRef;
  readonly addresses?: readonly IpAddress[];
  /** The container's namespace, by which an attachment without a link on the host is known to be alive. */
  readonly netns?: string;
  /** A chained plugin's part lives as long as this link, where another implementation made the interface. */
  readonly hostLink?: ForeignLink;
  /** Files that its ADD wrote, and that go with it. */
  readonly files?: readonly string[];
  /** Connections that must be looked at anew when it goes. */
  readonly staleFlows?: readonly StaleFlows[];
  /** DEL was answered: only what is left of the link and the addresses are still to go. */
  readonly leaving?: boolean;
  /** The folder host-local keeps the attachment's addresses in; absent where the addresses are not ours. */
  readonly dataDir?: string;
}

const ip = z.string().refine((text) => canonicalIp(text) === text);
const prefix = z.string().refine((text) => parsePrefix(text) !== undefined);
const mac = z.string().refine((text) => parseMac(text) !== undefined);
const u32 = z.int().min(0).max(0xffffffff);
const linkName = z.string().regex(/^[^\s/:]{1,15}$/);

const nft = { family: z.string(), table: z.string() };

/** The kinds of objects that ADD makes. Loose: other fields are kept. */
const object = z.discriminatedUnion('kind', [
  z.looseObject({
    kind: z.literal('link'),
    name: linkName,
    detail: z.looseObject({ type: z.string() }),
    up: z.boolean().optional(),
    mtuBytes: z.number().int().optional(),
    mac: mac.optional(),
    master: z.string().optional(),
    alias: z.string().optional(),
    addressGeneration: z.enum(['eui64', 'none']).optional(),
  }),
  z.looseObject({ kind: z.literal('address'), link: linkName, address: prefix }),
  z.looseObject({
    kind: z.literal('route'),
    dst: prefix,
    nextHops: z.array(z.looseObject({ link: linkName, via: ip.optional() })),
    preferredSource: ip.optional(),
    protocol: z.number().int(),
  }),
  z.looseObject({
    kind: z.literal('neighbour'),
    link: linkName,
    address: ip,
    mac,
    protocol: z.number().int(),
  }),
  z.looseObject({
    kind: z.literal('qdisc'),
    link: linkName,
    parent: z.enum(['root', 'ingress']),
    handle: u32.max(0xffff).optional(),
    detail: z.discriminatedUnion('type', [
      z.object({
        type: z.literal('tbf'),
        rateBytesPerSec: z.int().positive(),
        bucketTicks: u32,
        limitBytes: u32,
      }),
      z.object({ type: z.literal('ingress') }),
    ]),
  }),
  z.looseObject({
    kind: z.literal('filter'),
    link: linkName,
    parent: z.literal('ingress'),
    preference: u32.max(0xffff),
    redirect: linkName,
  }),
  z.looseObject({
    kind: z.literal('sysctl'),
    path: z.string().regex(/^net\/(?!.*\.\.\/)/),
    value: z.string(),
  }),
  z.looseObject({ kind: z.literal('nft-table'), family: z.string(), name: z.string() }),
  z.looseObject({ kind: z.literal('nft-chain'), ...nft, name: z.string(), rules: z.array(z.any()) }),
  z.looseObject({ kind: z.literal('nft-set'), ...nft, name: z.string() }),
  z.looseObject({ kind: z.literal('nft-element'), ...nft, set: z.string(), key: z.array(z.any()) }),
]);

const record = z.object({
  part: z.string().startsWith('poplin:cni:'),
  objects: z.array(object),
  attachment: z.object({ network: z.string(), containerId: z.string(), ifName: z.string() }),
  plugin: z.string().optional(),
  pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string().optional() }).optional(),
  addresses: z.array(ip).optional(),
  netns: z.string().optional(),
  hostLink: z.object({ name: linkName, mac: mac.optional() }).optional(),
  files: z.array(z.string().startsWith('/')).optional(),
  staleFlows: z
    .array(
      z.object({
        family: z.literal([4, 6]),
        protocol: z.int().min(0).max(255),
        port: z.int().min(0).max(65535),
      }),
    )
    .optional(),
  pending: z.boolean().optional(),
  leaving: z.boolean().optional(),
  dataDir: z.string().optional(),
});

/** The part that a record holds, or what is wrong with it. */
export function parseStoredPart(text: string): StoredPart | string {
  const line = lastLine(text);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  const { data, error } = record.safeParse(json);
  if (data === undefined)
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  // Checked above in all that planning and sending look at; JSON has no undefined.
  return data as unknown as StoredPart;
}

/** The last whole line; of a file of an earlier release, which has none, all of it. */
function lastLine(text: string): string {
  const end = text.lastIndexOf('\n');
  return end < 0 ? text : text.slice(text.lastIndexOf('\n', end - 1) + 1, end);
}
