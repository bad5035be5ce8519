/** The field types that CNI configurations and results share, as zod schemas. An empty string means absent, as in Go. */
import { z } from 'zod';
import { canonicalIp, formatMac, type IpAddress, parseMac, parsePrefix } from '#base/ip/index.ts';
import type { CniDns, CniRoute } from './result.ts';

/** The canonical text of an address; an IPv4-mapped IPv6 address becomes IPv4. Undefined if it is none. */
export function cniIp(text: string): IpAddress | undefined {
  const address = canonicalIp(text);
  return address?.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

export const ipField = z.string().transform((text, context) => {
  if (text === '') return undefined;
  const address = cniIp(text);
  if (address === undefined) context.addIssue(`${JSON.stringify(text)} is not an IP address`);
  return address;
});

/** Address and length in canonical form; host bits are kept. */
export const prefixField = z.string().transform((text, context) => {
  const parts = parsePrefix(text);
  if (parts !== undefined) return `${parts.address}/${parts.length}`;
  context.addIssue(
    `${JSON.stringify(text)} is not an address with a prefix length such as 10.1.0.0/16 or fd00::/64`,
  );
  return z.NEVER;
});

/** As prefixField, or undefined for an empty string. */
export const optionalPrefixField = z.string().transform((text, context) => {
  if (text === '') return undefined;
  const outcome = prefixField.safeParse(text);
  for (const { message } of outcome.error?.issues ?? []) context.addIssue(message);
  return outcome.data;
});

/** `<ip>[/<prefix length>]`, of which the address counts. */
export const requestedIpField = z.string().transform((text, context) => {
  const address = text.includes('/') ? parsePrefix(text)?.address : cniIp(text);
  if (address === undefined) context.addIssue(`${JSON.stringify(text)} is not an IP address`);
  return address ?? '';
});

/** Where the kernel shows itself: whatever is made there is no file. */
const KERNEL_FOLDERS = /^\/(proc|sys)(\/|$)/;

/** What is wrong with the path of a folder that a plugin keeps files in, or undefined. An empty string is absent, and right. */
export function folderProblem(path: string): string | undefined {
  if (path === '') return undefined;
  const isPlain = path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0');
  if (!isPlain) return `${JSON.stringify(path)} is not an absolute path without ".."`;
  // Doubled slashes and "." lead to the same place.
  const walked = `/${path
    .split('/')
    .filter((step) => step !== '' && step !== '.')
    .join('/')}`;
  return KERNEL_FOLDERS.test(walked) ? `${JSON.stringify(path)} is below /proc or /sys` : undefined;
}

/** The path of a folder that a plugin keeps files in. */
export const folderField = z.string().superRefine((path, context) => {
  const problem = folderProblem(path);
  if (problem !== undefined) context.addIssue(problem);
});

export const macField = z.string().transform((text, context) => {
  if (text === '') return undefined;
  const bytes = parseMac(text);
  if (bytes === undefined) context.addIssue(`${JSON.stringify(text)} is not a MAC address`);
  return bytes && formatMac(bytes);
});

export const dnsField = z
  .looseObject({
    nameservers: z.array(z.string()).optional(),
    domain: z.string().optional(),
    search: z.array(z.string()).optional(),
    options: z.array(z.string()).optional(),
  })
  .transform(({ nameservers, domain, search, options }): CniDns => {
    return {
      ...(nameservers && { nameservers }),
      ...(domain && { domain }),
      ...(search && { search }),
      ...(options && { options }),
    };
  });

const count = z.int().min(0);

export const routeField = z
  .looseObject({
    dst: prefixField,
    gw: ipField.optional(),
    mtu: count.optional(),
    advmss: count.optional(),
    priority: count.optional(),
    table: count.optional(),
    scope: count.max(255).optional(),
  })
  .transform(({ dst, gw, mtu, advmss, priority, table, scope }): CniRoute => {
    return {
      dst,
      ...(gw !== undefined && { gw }),
      ...(mtu && { mtu }),
      ...(advmss && { advmss }),
      ...(priority && { priority }),
      ...(table !== undefined && { table }),
      ...(scope !== undefined && { scope }),
    };
  });
