/** The record of one client, checked: what comes out can be planned and sent, whatever has become of the file. */
import { z } from 'zod';
import { fromHex, hex } from '#base/bytes.ts';
import { canonicalIp, parseMac, parsePrefix } from '#base/ip/index.ts';
import type { Attachment, DhcpConfig } from '#core/cni/index.ts';
import type { DhcpLease } from '#core/dhcp/index.ts';

export interface StoredClient {
  readonly attachment: Attachment;
  readonly netns: string;
  /** Of the namespace at that path: another may come to lie there. */
  readonly namespaceId: string;
  readonly config: DhcpConfig;
  /** Absent while the client is without one. */
  readonly lease?: DhcpLease;
  /** The neighbour that the last acknowledgement came from: the server, or a relay. */
  readonly neighbour?: string;
}

const ip = z.string().refine((text) => canonicalIp(text) === text && !text.includes(':'));
const prefix = z.string().refine((text) => parsePrefix(text)?.family === 4);
const mac = z.string().refine((text) => parseMac(text) !== undefined);
const code = z.int().min(1).max(254);
const time = z.number().optional();

const schema = z.object({
  attachment: z.object({ network: z.string(), containerId: z.string(), ifName: z.string() }),
  netns: z.string(),
  namespaceId: z.string(),
  config: z.object({
    provide: z.array(z.tuple([code, z.string().regex(/^([0-9a-f]{2})*$/)])),
    request: z.array(code),
    named: z.array(code),
    priority: z.number().optional(),
  }),
  lease: z
    .object({
      address: prefix,
      serverId: ip,
      router: ip.optional(),
      routes: z.array(z.object({ destination: prefix, router: ip })),
      nameServers: z.array(ip),
      domain: z.string().optional(),
      search: z.array(z.string()),
      mtuBytes: z.number().optional(),
      renewAtMs: time,
      rebindAtMs: time,
      expiresAtMs: time,
    })
    .optional(),
  neighbour: mac.optional(),
});

export function printStoredClient({ config, ...stored }: StoredClient): string {
  const provide = [...config.provide].map(([option, value]) => [option, hex(value)]);
  return JSON.stringify({ ...stored, config: { ...config, provide } });
}

/** The client that a record holds, or what is wrong with it. */
export function parseStoredClient(text: string): StoredClient | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const { data, error } = schema.safeParse(json);
  if (data === undefined)
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  const provide = new Map(data.config.provide.map(([option, value]) => [option, fromHex(value)]));
  // JSON has no undefined.
  return { ...data, config: { ...data.config, provide } } as StoredClient;
}
