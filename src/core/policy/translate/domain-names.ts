/** Names of DNS in documents: whole ones, or with `*.` before them all that end so. */
import { type Fields, shown } from './document.ts';

const DOMAIN =
  /^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$/;

/** The names under a key, in lower case and without a dot at the end; undefined if there is no such key. */
export function domainNames(fields: Fields, key: string): string[] | undefined {
  const names = fields.texts(key);
  for (const [index, name] of (names ?? []).entries())
    if (!DOMAIN.test(name))
      fields.fail(`${shown(name)} is no name such as example.com or *.example.com`, `${key}[${index}]`);
  return names?.map((name) => name.toLowerCase().replace(/\.$/, ''));
}
