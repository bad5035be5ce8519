/**
 * Everything that is wrong with a network configuration, at once and with its places: what the specification demands, what our
 * plugins refuse, and as warnings what is probably a slip. Foreign plugins may have keys we do not know.
 */
import {
  compareProblems,
  type KeyPath,
  type LocatedDocument,
  type Problem,
  plainValue,
  problemAt,
  readJson,
  suggestionText,
} from '#core/config/index.ts';
import { checkNetworkName } from '../spec/environment.ts';
import { isJsonObject, type JsonObject } from '../spec/json.ts';
import { CNI_VERSIONS, isCniVersion, parseVersion } from '../spec/version.ts';
import { ownProblems } from './own-checks.ts';
import {
  CAPABILITIES,
  INTERFACE_PLUGIN_KEYS,
  IPAM_PLUGIN_KEYS,
  type KeyTable,
  LIST_KEYS,
  PROTOCOL_KEYS,
  type ValueKind,
} from './plugin-keys-table.ts';

export interface Findings {
  /** What stops the configuration from working. */
  readonly problems: readonly Problem[];
  /** What is probably not meant. */
  readonly warnings: readonly Problem[];
}

/** Checks a .conflist, or a .conf with one plugin; `source` is what places name. */
export function validateNetwork(text: string, source: string): Findings {
  return checked(text, source, (reading, json) => {
    if (json['plugins'] === undefined && json['type'] !== undefined) reading.plugin([], json, json, 0);
    else reading.list(json);
    reading.name(json);
    reading.version(json);
  });
}

/** Checks one plugin's configuration, as it lies in the folder of a network's name. */
export function validatePlugin(text: string, source: string): Findings {
  const list = { cniVersion: CNI_VERSIONS.at(-1) };
  // It stands behind what the list inlines.
  return checked(text, source, (reading, json) => reading.plugin([], json, list, 1));
}

function checked(
  text: string,
  source: string,
  check: (reading: Reading, json: JsonObject) => void,
): Findings {
  const document = readJson(text, source);
  const reading = new Reading(document);
  if (document.root !== undefined) {
    const json = plainValue(document.root);
    if (isJsonObject(json)) check(reading, json);
    else reading.fault([], 'must be an object');
  }
  return {
    problems: distinct([...document.problems, ...reading.problems]),
    warnings: distinct(reading.warnings),
  };
}

class Reading {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  private readonly document: LocatedDocument;

  constructor(document: LocatedDocument) {
    this.document = document;
  }

  fault(path: KeyPath, message: string): void {
    this.problems.push(problemAt(this.document, path, message));
  }

  name(json: JsonObject): void {
    const { name } = json;
    if (name === undefined) return this.fault(['name'], 'is required: the name of the network');
    if (typeof name !== 'string') return this.fault(['name'], 'must be a string');
    const error = checkNetworkName(name);
    if (error) this.fault(['name'], error.details || error.msg);
  }

  version(json: JsonObject): void {
    const { cniVersion, cniVersions } = json;
    if (cniVersion === undefined && cniVersions === undefined)
      this.warn(['cniVersion'], 'is not given: the network speaks 0.1.0, with one address of each family');
    if (cniVersion !== undefined) this.oneVersion(['cniVersion'], cniVersion, cniVersions === undefined);
    if (cniVersions === undefined) return;
    if (!Array.isArray(cniVersions)) return this.fault(['cniVersions'], 'must be a list of strings');
    for (const [index, version] of cniVersions.entries())
      this.oneVersion(['cniVersions', index], version, false);
  }

  list(json: JsonObject): void {
    this.unknownKeys([], json, LIST_KEYS, false);
    for (const key of ['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins']) {
      const value = json[key];
      const isFlag = typeof value === 'boolean' || /^(true|false)$/i.test(String(value));
      if (value !== undefined && !isFlag) this.fault([key], 'must be true or false');
    }
    const { plugins, name } = json;
    const isClosed = String(json['loadOnlyInlinedPlugins']).toLowerCase() === 'true';
    if (plugins === undefined) {
      if (isClosed) this.fault(['plugins'], 'is required, because loadOnlyInlinedPlugins is true');
      else this.warn(['plugins'], `is not given: the plugins are those of the folder ${String(name)}/*.conf`);
      return;
    }
    if (!Array.isArray(plugins)) return this.fault(['plugins'], 'must be a list');
    if (plugins.length === 0) this.fault(['plugins'], 'must not be empty');
    for (const [index, plugin] of plugins.entries()) {
      if (isJsonObject(plugin)) this.plugin(['plugins', index], plugin, json, index);
      else this.fault(['plugins', index], 'must be an object');
    }
  }

  /** One plugin's configuration; `list` has the version it will be given. */
  plugin(path: KeyPath, plugin: JsonObject, list: JsonObject, position: number): void {
    const { type } = plugin;
    if (typeof type !== 'string' || type === '')
      return this.fault([...path, 'type'], 'is required: the name of the plugin');
    if (/[/\\]/.test(type) || type === '.' || type === '..')
      return this.fault([...path, 'type'], `${JSON.stringify(type)} is a path: give the plugin's name`);
    const known = INTERFACE_PLUGIN_KEYS[type];
    if (position === 0 && known?.isChained)
      this.fault(
        [...path, 'type'],
        `${type} works on an interface that a plugin before it made: it cannot be the first`,
      );
    const before = this.problems.length;
    this.reserved(path, plugin);
    this.capabilities(path, plugin['capabilities']);
    this.kinds(path, plugin, { ...PROTOCOL_KEYS, ...kindsOf(known?.keys ?? {}) });
    if (known === undefined) this.unknownType(path, type);
    else {
      const keys = [...Object.keys(PROTOCOL_KEYS), ...Object.keys(known.keys)];
      const own = path.length === 0 ? [...keys, ...LIST_KEYS] : keys;
      this.unknownKeys(path, plugin, own, known.isStrict ?? false);
    }
    if (known?.hasOpenIpam !== true) this.ipam(path, plugin['ipam'], known?.hasNoIpam ? type : undefined);
    const { cniVersion } = list;
    const version = typeof cniVersion === 'string' && isCniVersion(cniVersion) ? cniVersion : '1.1.0';
    const { ipam, ...rest } = plugin;
    const isUsed = known?.hasNoIpam !== true && known?.hasOpenIpam !== true && ipam !== undefined;
    const used = isUsed ? { ipam } : {};
    const completed = { ...rest, ...used, name: 'network', cniVersion: version };
    // What is said of a place already is not said in the parser's words too.
    const told = new Set(this.problems.slice(before).map(placeOf));
    const own = ownProblems(this.document, path, completed);
    this.problems.push(...own.filter((each) => !told.has(placeOf(each))));
  }

  private ipam(base: KeyPath, ipam: unknown, refusing: string | undefined): void {
    if (!isJsonObject(ipam)) return;
    const path = [...base, 'ipam'];
    const { type } = ipam;
    if (refusing !== undefined && Object.keys(ipam).length > 0)
      this.warn(path, `is not used: ${refusing} takes no addresses`);
    if (typeof type !== 'string') {
      if (Object.keys(ipam).length > 0) this.fault([...path, 'type'], 'is required: the IPAM plugin');
      return;
    }
    const keys = IPAM_PLUGIN_KEYS[type]?.keys;
    if (keys !== undefined) {
      this.kinds(path, ipam, kindsOf(keys));
      this.unknownKeys(path, ipam, ['type', ...Object.keys(keys)], false);
    } else if (INTERFACE_PLUGIN_KEYS[type]) {
      this.fault([...path, 'type'], `"${type}" makes interfaces, it is no IPAM plugin`);
    } else {
      const hint = suggestionText(type, Object.keys(IPAM_PLUGIN_KEYS));
      if (hint !== '') this.warn([...path, 'type'], `"${type}" is not a known IPAM plugin${hint}`);
    }
  }

  private unknownType(path: KeyPath, type: string): void {
    const hint = suggestionText(type, Object.keys(INTERFACE_PLUGIN_KEYS));
    if (hint !== '') this.warn([...path, 'type'], `"${type}" is not a known plugin${hint}`);
  }

  private reserved(path: KeyPath, plugin: JsonObject): void {
    for (const key of Object.keys(plugin)) {
      if (key === 'runtimeConfig' || key === 'prevResult' || key.startsWith('cni.dev/'))
        this.warn([...path, key], 'is reserved: the runtime writes it');
    }
  }

  private capabilities(base: KeyPath, capabilities: unknown): void {
    if (!isJsonObject(capabilities)) return;
    for (const [name, value] of Object.entries(capabilities)) {
      const path = [...base, 'capabilities', name];
      if (typeof value !== 'boolean') this.fault(path, 'must be true or false');
      const hint = suggestionText(name, CAPABILITIES);
      if (!(CAPABILITIES as readonly string[]).includes(name) && hint !== '')
        this.warn(path, `is not a capability that runtimes know${hint}`);
    }
  }

  private kinds(path: KeyPath, json: JsonObject, kinds: Readonly<Record<string, ValueKind>>): void {
    for (const [key, value] of Object.entries(json)) {
      const kind = kinds[key];
      // null means absent, as in Go.
      if (kind === undefined || value === null || FITS[kind](value)) continue;
      this.fault([...path, key], `must be ${KIND_TEXT[kind]}`);
    }
  }

  private unknownKeys(path: KeyPath, json: JsonObject, known: readonly string[], isStrict: boolean): void {
    for (const key of Object.keys(json)) {
      if (known.includes(key) || key.startsWith('cni.dev/')) continue;
      const hint = suggestionText(key, known);
      if (isStrict) this.fault([...path, key], `is not a known key${hint}`);
      else this.warn([...path, key], `is not a known key and is ignored${hint}`);
    }
  }

  private oneVersion(path: KeyPath, version: unknown, isOnly: boolean): void {
    if (typeof version !== 'string') return this.fault(path, 'must be a string');
    if (isCniVersion(version)) return;
    const text = `must be one of ${CNI_VERSIONS.join(', ')}`;
    if (isOnly || parseVersion(version) === undefined) this.fault(path, text);
    else this.warn(path, `is a version we do not speak: ${text} to be used`);
  }

  private warn(path: KeyPath, message: string): void {
    this.warnings.push(problemAt(this.document, path, message));
  }
}

function placeOf({ line, column }: Problem): string {
  return `${line}:${column}`;
}

function kindsOf(keys: KeyTable): Record<string, ValueKind> {
  return Object.fromEntries(Object.entries(keys).map(([key, { kind }]) => [key, kind]));
}

const FITS: Readonly<Record<ValueKind, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  count: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  list: Array.isArray,
  object: isJsonObject,
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};

const KIND_TEXT: Readonly<Record<ValueKind, string>> = {
  string: 'a string',
  bool: 'true or false',
  count: 'a whole number from 0',
  list: 'a list',
  object: 'an object',
  strings: 'a list of strings',
};

function distinct(problems: readonly Problem[]): Problem[] {
  const byText = new Map(problems.map((each) => [`${each.line}:${each.column}:${each.message}`, each]));
  return [...byText.values()].sort(compareProblems);
}
