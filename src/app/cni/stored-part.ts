/** The text of an attachment's record, checked: what comes out can be planned and sent, whatever has become of the file. */
import { z } from 'zod';
import { canonicalIp, parseMac, parsePrefix } from '#base/ip/index.ts';
import type { Attachment } from '#core/cni/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

export interface StoredPart {
  /** The part's name in the desired state: the alias of the attachment's links. */
  readonly part: string;
  /** Empty while its ADD is under way. */
  readonly objects: readonly KernelObject[];
  readonly attachment: Attachment;
  /** The folder host-local keeps the attachment's addresses in; absent where the addresses are not ours. */
  readonly dataDir?: string;
}

const ip = z.string().refine((text) => canonicalIp(text) === text);
const prefix = z.string().refine((text) => parsePrefix(text) !== undefined);
const mac = z.string().refine((text) => parseMac(text) !== undefined);
const u32 = z.int().min(0).max(0xffffffff);
const linkName = z.string().regex(/^[^\s/:]{1,15}$/);

/** The kinds of objects that ADD makes. Loose: other fields are kept. */
const object = z.discriminatedUnion('kind', [
  z.looseObject({
    kind: z.literal('link'),
    name: linkName,
    detail: z.looseObject({ type: z.enum(['veth', 'bridge', 'ifb']) }),
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
]);

const record = z.object({
  part: z.string().startsWith('poplin:cni:'),
  objects: z.array(object),
  attachment: z.object({ network: z.string(), containerId: z.string(), ifName: z.string() }),
  dataDir: z.string().optional(),
});

/** The part that a record holds, or what is wrong with it. */
export function parseStoredPart(text: string): StoredPart | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const { data, error } = record.safeParse(json);
  if (data === undefined)
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  const { dataDir, objects, ...rest } = data;
  return {
    ...rest,
    // Checked above in all that planning and sending look at.
    objects: objects as unknown as readonly KernelObject[],
    ...(dataDir !== undefined && { dataDir }),
  };
}
