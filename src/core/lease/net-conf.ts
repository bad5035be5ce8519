/**
 * flannel's net-conf.json: the cluster's networks, the size of each node's subnet, and the backend. The rules are
 * those of flannel's pkg/subnet/config.go (both families), read as Go reads JSON: keys in any case, null and 0 as
 * "not given". Where this differs from flannel, docs/net-conf.md says so.
 */
import { z } from 'zod';
import {
  bigIntToIp,
  familyBits,
  firstIp,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipToBigInt,
  lastIp,
  networkOf,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import {
  type CheckOptions,
  checkDocument,
  compareProblems,
  type LocatedDocument,
  nodeAt,
  type ParseResult,
  type Problem,
  plainValue,
  problemAt,
  readJson,
  soundKeys,
  suggestionText,
} from '#core/config/index.ts';
import { BACKEND_SCHEMAS, BACKEND_TYPES, type BackendConfig, SECRET_KEYS } from './backend.ts';

/** One family's pool: every node holds one subnet of `subnetLen` bits between `subnetMin` and `subnetMax`. */
export interface NetConfFamily {
  readonly network: IpPrefix;
  readonly subnetLen: number;
  /** The address of the first subnet that may be given. */
  readonly subnetMin: IpAddress;
  /** The address of the last subnet that may be given. */
  readonly subnetMax: IpAddress;
}

/** A validated net-conf.json; at least one family is present. */
export interface NetConf {
  readonly ipv4?: NetConfFamily;
  readonly ipv6?: NetConfFamily;
  readonly enableNFTables: boolean;
  readonly backend: BackendConfig;
}

const SCHEMA = z.object({
  EnableIPv4: z.boolean().default(true),
  EnableIPv6: z.boolean().default(false),
  EnableNFTables: z.boolean().default(false),
  Network: prefixOf(4).optional(),
  IPv6Network: prefixOf(6).optional(),
  SubnetLen: z.int().min(0).optional(),
  IPv6SubnetLen: z.int().min(0).optional(),
  SubnetMin: addressOf(4).optional(),
  SubnetMax: addressOf(4).optional(),
  IPv6SubnetMin: addressOf(6).optional(),
  IPv6SubnetMax: addressOf(6).optional(),
  Backend: z.looseObject({ Type: z.string().optional() }).optional(),
});

type Keys = Partial<z.output<typeof SCHEMA>>;

/** The names and limits in which the two families differ. */
interface FamilyRules {
  readonly family: IpFamily;
  readonly enable: 'EnableIPv4' | 'EnableIPv6';
  readonly network: 'Network' | 'IPv6Network';
  readonly subnetLen: 'SubnetLen' | 'IPv6SubnetLen';
  readonly subnetMin: 'SubnetMin' | 'IPv6SubnetMin';
  readonly subnetMax: 'SubnetMax' | 'IPv6SubnetMax';
  /** Given to each node where the network holds four of them. */
  readonly usualLen: number;
  /** A subnet needs four addresses: the network's own, the tunnel's, the bridge's and one more. */
  readonly longestSubnet: number;
  readonly longestNetwork: number;
  readonly example: string;
}

const RULES: readonly [FamilyRules, FamilyRules] = [
  {
    family: 4,
    enable: 'EnableIPv4',
    network: 'Network',
    subnetLen: 'SubnetLen',
    subnetMin: 'SubnetMin',
    subnetMax: 'SubnetMax',
    usualLen: 24,
    longestSubnet: 30,
    longestNetwork: 28,
    example: '10.244.0.0/16',
  },
  {
    family: 6,
    enable: 'EnableIPv6',
    network: 'IPv6Network',
    subnetLen: 'IPv6SubnetLen',
    subnetMin: 'IPv6SubnetMin',
    subnetMax: 'IPv6SubnetMax',
    usualLen: 64,
    longestSubnet: 126,
    longestNetwork: 124,
    example: 'fd00:10:244::/48',
  },
];

const OPTIONS: CheckOptions = { goStyle: true, secrets: SECRET_KEYS };

/** Reads and validates net-conf.json (comments allowed); all problems at once, never throws. */
export function parseNetConf(text: string, source: string): ParseResult<NetConf> {
  const document = readJson(text, source);
  if (document.root === undefined) return { ok: false, problems: document.problems, warnings: [] };
  const shape = checkDocument(SCHEMA, document, [], OPTIONS);
  if (document.root.kind !== 'object' && !shape.ok) return shape;
  const checker = new Checker(document, shape.ok ? shape.value : soundKeys(SCHEMA, document, OPTIONS));
  if (!shape.ok) checker.problems.push(...shape.problems);
  checker.warnings.push(...shape.warnings);
  const [rules4, rules6] = RULES;
  const ipv4 = checker.family(rules4);
  const ipv6 = checker.family(rules6);
  checker.anyFamily();
  const backend = checker.backend();
  const warnings = checker.warnings.sort(compareProblems);
  if (checker.problems.length > 0 || backend === undefined) {
    return { ok: false, problems: checker.problems.sort(compareProblems), warnings };
  }
  const enableNFTables = checker.keys.EnableNFTables ?? false;
  const value = { ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}), enableNFTables, backend };
  return { ok: true, value, warnings };
}

class Checker {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly keys: Keys;
  private readonly document: LocatedDocument;

  constructor(document: LocatedDocument, keys: Keys) {
    this.document = document;
    this.keys = keys;
  }

  private problem(path: readonly string[], message: string): undefined {
    this.problems.push(problemAt(this.document, path, message, { fold: true }));
  }

  private warning(path: readonly string[], message: string): void {
    this.warnings.push(problemAt(this.document, path, message, { fold: true }));
  }

  private isGiven(key: string): boolean {
    const node = this.document.root && nodeAt(this.document.root, [key], true);
    return node !== undefined && !(node.kind === 'scalar' && node.value === null);
  }

  anyFamily(): void {
    if (this.keys.EnableIPv4 === false && this.keys.EnableIPv6 === false)
      this.problem([], 'neither EnableIPv4 nor EnableIPv6 is true: there is nothing to give out');
  }

  family(rules: FamilyRules): NetConfFamily | undefined {
    const enabled = this.keys[rules.enable];
    if (enabled !== true) {
      if (enabled === false && this.isGiven(rules.network))
        this.warning([rules.network], `is ignored: ${rules.enable} is false`);
      return undefined;
    }
    const network = this.network(rules);
    if (network === undefined) return undefined;
    const subnetLen = this.subnetLen(rules, network);
    const subnetMin = this.bound(rules, rules.subnetMin, network, subnetLen);
    const subnetMax = this.bound(rules, rules.subnetMax, network, subnetLen);
    if (subnetLen === undefined || subnetMin === undefined || subnetMax === undefined) return undefined;
    if (ipToBigInt(subnetMin) > ipToBigInt(subnetMax))
      return this.problem(
        [rules.subnetMin],
        `is above ${rules.subnetMax} (${subnetMax}): no subnet lies between`,
      );
    return { network, subnetLen, subnetMin, subnetMax };
  }

  private network(rules: FamilyRules): IpPrefix | undefined {
    const given = this.keys[rules.network];
    const define = `please define a correct ${rules.network} parameter, such as "${rules.example}"`;
    if (given === undefined) {
      if (this.isGiven(rules.network)) return undefined;
      return this.problem([rules.network], `is required while ${rules.enable} is true: ${define}`);
    }
    const network = networkOf(given);
    if (prefixParts(network).length === 0)
      return this.problem([rules.network], `cannot be every address (${network}): ${define}`);
    const { address } = prefixParts(given);
    if (address !== firstIp(network))
      this.warning([rules.network], `has host bits set: ${given} is taken as ${network}`);
    return network;
  }

  private subnetLen(rules: FamilyRules, network: IpPrefix): number | undefined {
    const { length } = prefixParts(network);
    const given = this.keys[rules.subnetLen];
    if (given === undefined && this.isGiven(rules.subnetLen)) return undefined;
    if (given === undefined || given === 0) {
      if (length > rules.longestNetwork) {
        const limit = `minimum useful network prefix is /${rules.longestNetwork}`;
        return this.problem([rules.network], `network is too small: ${network}, but the ${limit}`);
      }
      return length <= rules.usualLen - 2 ? rules.usualLen : length + 2;
    }
    if (given > rules.longestSubnet) {
      const reason = 'a node needs four addresses';
      return this.problem(
        [rules.subnetLen],
        `must be less than /${rules.longestSubnet + 1}, not /${given}: ${reason}`,
      );
    }
    if (given < length + 2) {
      const range = `with ${rules.network} ${network} it must be /${length + 2} or longer, not /${given}`;
      return this.problem(
        [rules.subnetLen],
        `network must be able to accommodate at least four subnets: ${range}`,
      );
    }
    return given;
  }

  // The first subnet is left out by default: its address would be the network's own.
  private bound(
    rules: FamilyRules,
    key: FamilyRules['subnetMin' | 'subnetMax'],
    network: IpPrefix,
    subnetLen: number | undefined,
  ): IpAddress | undefined {
    const given = this.keys[key];
    if (given === undefined && this.isGiven(key)) return undefined;
    const bits = familyBits(rules.family);
    if (given === undefined || ipToBigInt(given) === 0n) {
      if (subnetLen === undefined) return undefined;
      const size = 1n << BigInt(bits - subnetLen);
      const value =
        key === rules.subnetMin
          ? ipToBigInt(firstIp(network)) + size
          : ipToBigInt(lastIp(network)) + 1n - size;
      return bigIntToIp(value, rules.family);
    }
    if (!prefixContains(network, given))
      return this.problem([key], `is not in the range of the ${rules.network} ${network}: ${given}`);
    if (subnetLen === undefined) return undefined;
    const aligned = firstIp(`${given}/${subnetLen}`);
    if (aligned !== given) {
      const next = `the one below is ${aligned}`;
      return this.problem(
        [key],
        `is not on a ${rules.subnetLen} (/${subnetLen}) boundary: ${given}; ${next}`,
      );
    }
    return given;
  }

  backend(): BackendConfig | undefined {
    if (!this.isGiven('Backend')) {
      this.warning(
        ['Backend'],
        'is not given: vxlan is used; name the Type, since flannel itself falls back to udp',
      );
      return BACKEND_SCHEMAS.vxlan.parse({});
    }
    const node = this.document.root && nodeAt(this.document.root, ['Backend'], true);
    if (node?.kind !== 'object') return undefined;
    const typeNode = nodeAt(node, ['Type'], true);
    const given = (typeNode && plainValue(typeNode)) ?? 'vxlan';
    if (typeof given !== 'string') return undefined;
    const type = BACKEND_TYPES.find((name) => name === given.toLowerCase());
    if (type === undefined) {
      const known = `known are ${BACKEND_TYPES.join(', ')}`;
      const hint = suggestionText(given, BACKEND_TYPES);
      return this.problem(['Backend', 'Type'], `unknown backend type "${given}"${hint}; ${known}`);
    }
    const schema: z.ZodType<BackendConfig> = BACKEND_SCHEMAS[type];
    const result = checkDocument(schema, this.document, ['Backend'], OPTIONS);
    this.warnings.push(...result.warnings);
    if (result.ok) return result.value;
    this.problems.push(...result.problems);
    return undefined;
  }
}

function prefixOf(family: IpFamily) {
  const example = family === 4 ? '10.244.0.0/16' : 'fd00:10:244::/48';
  return z.string().transform((text, context) => {
    const parts = parsePrefix(text);
    if (parts?.family === family) return `${parts.address}/${parts.length}`;
    const found = parts === undefined ? 'not a network' : `an IPv${parts.family} network`;
    context.addIssue(`must be an IPv${family} network such as "${example}": "${text}" is ${found}`);
    return z.NEVER;
  });
}

function addressOf(family: IpFamily) {
  const example = family === 4 ? '10.244.1.0' : 'fd00:10:244:1::';
  return z.string().transform((text, context) => {
    const bytes = parseIp(text);
    if (bytes?.length === familyBits(family) / 8) return bigIntToIp(ipToBigInt(text), family);
    const found = bytes === undefined ? 'not an address' : `an IPv${family === 4 ? 6 : 4} address`;
    context.addIssue(`must be an IPv${family} address such as "${example}": "${text}" is ${found}`);
    return z.NEVER;
  });
}
