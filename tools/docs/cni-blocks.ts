/**
 * The generated parts of docs/cni.md: a table of keys for each plugin, from the declarations that `poplin cni validate` uses, and its
 * example, from docs/examples/cni/; files of docs/examples/. They stand between `<!-- keys:NAME -->`, `<!-- example:NAME -->` or
 * `<!-- file:NAME -->` and `<!-- end -->`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INTERFACE_PLUGIN_KEYS, IPAM_PLUGIN_KEYS, type PluginKeys, type ValueKind } from '#core/cni/index.ts';

export const DOCUMENT = join(import.meta.dirname, '../../docs/cni.md');
export const EXAMPLES = join(import.meta.dirname, '../../docs/examples/cni');

const BLOCK = /<!-- (keys|example|file):([a-z.-]+) -->\n[^]*?<!-- end -->/g;

const KIND_TEXT: Readonly<Record<ValueKind, string>> = {
  string: 'string',
  bool: 'bool',
  count: 'number',
  list: 'list',
  object: 'object',
  strings: 'strings',
};

/** The document with what lies between its markers made anew. Throws RangeError for a plugin that is none of ours. */
export function withBlocks(document: string): string {
  return document.replaceAll(BLOCK, (_block, what: string, type: string) => {
    const text = what === 'keys' ? keyTable(type) : what === 'file' ? file(type) : example(type);
    return `<!-- ${what}:${type} -->\n${text}<!-- end -->`;
  });
}

/** What the document has markers for, as `keys:bridge`. */
export function blocksIn(document: string): string[] {
  return Array.from(document.matchAll(BLOCK), ([, what, type]) => `${what}:${type}`);
}

function keyTable(type: string): string {
  const plugin: Pick<PluginKeys, 'keys' | 'capabilities'> | undefined =
    INTERFACE_PLUGIN_KEYS[type] ?? IPAM_PLUGIN_KEYS[type];
  if (plugin === undefined) throw new RangeError(`docs/cni.md: there is no plugin "${type}"`);
  const own = Object.entries(plugin.keys).map(([key, row]) => {
    const meaning = row.compat === undefined ? row.meaning : `${row.meaning} – *${row.compat}*`;
    return [`\`${key}\``, KIND_TEXT[row.kind], row.default, meaning];
  });
  const given = Object.entries(plugin.capabilities ?? {}).map(([name, meaning]) => {
    return [`\`runtimeConfig.${name}\``, '', '–', `capability \`${name}\`: ${meaning}`];
  });
  const rows = [...own, ...given];
  if (rows.length === 0) return 'No keys of its own.\n';
  const lines = [['key', 'type', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows];
  return lines
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('')
    .replaceAll('| --- | --- | --- | --- |', '|---|---|---|---|');
}

function example(type: string): string {
  const path = join(EXAMPLES, `${type}.conflist`);
  return `\`\`\`jsonc\n// docs/examples/cni/${type}.conflist\n${readFileSync(path, 'utf8')}\`\`\`\n`;
}

function file(name: string): string {
  return `\`\`\`ini\n# docs/examples/${name}\n${readFileSync(join(EXAMPLES, '..', name), 'utf8')}\`\`\`\n`;
}
