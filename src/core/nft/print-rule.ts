/**
 * Rules as nft prints them. The expressions are followed through the registers; comparisons that only make sure of a header
 * (`meta l4proto tcp` before `tcp dport`) are left out where the field itself implies them, as nft does.
 */
import { bytesValue, DATA_TYPES, type NftDataType } from './datatype.ts';
import type { NftExpression, Register } from './expression.ts';
import {
  CT_FIELDS,
  ctText,
  HEADER_FIELDS,
  type HeaderField,
  META_TYPES,
  metaText,
  type Requirement,
} from './field.ts';
import { parseHex } from './hex.ts';
import type { NftFamily, NftRule } from './objects.ts';
import { printStatement } from './print-statement.ts';
import { printComparison, printTerm, registersFor, type Term } from './print-term.ts';
import { printBytes, printTime } from './print-value.ts';
import { impliedNetwork } from './rule.ts';

type Of<O extends NftExpression['op']> = Extract<NftExpression, { op: O }>;
type Layer = Requirement['layer'];

const BASE_NAMES = { link: 'll', network: 'nh', transport: 'th' } as const;

/** The rule on one line: `ip saddr 10.0.0.0/8 tcp dport 80 accept comment "web"`. */
export function printRule(family: NftFamily, rule: NftRule): string {
  const text = new RulePrinter(family).print(rule.expressions);
  return rule.comment === undefined ? text : `${text} comment "${rule.comment}"`;
}

class RulePrinter {
  private readonly family: NftFamily;
  private readonly statements: (string | undefined)[] = [];
  /** For each layer the statement that did no more than make sure of it. */
  private readonly dependencies = new Map<Layer, number>();
  private readonly registers = new Map<Register, Term>();
  private network: string | undefined;
  private transport: string | undefined;

  constructor(family: NftFamily) {
    this.family = family;
    this.network = impliedNetwork(family);
  }

  print(expressions: readonly NftExpression[]): string {
    for (let i = 0; i < expressions.length; i++) {
      const expression = expressions[i] as NftExpression;
      const next = expressions[i + 1];
      if (expression.op === 'cmp' && next?.op === 'cmp' && isRange(expression, next)) {
        this.say(this.rangeText(expression.register, expression.value, next.value, ''));
        i++;
      } else this.follow(expression);
    }
    return this.statements.filter((text) => text !== undefined).join(' ');
  }

  private follow(expression: NftExpression): void {
    if (this.load(expression)) return;
    const statement = printStatement(expression, this.family, this.network) ?? this.act(expression);
    this.say(statement);
  }

  private say(text: string): void {
    this.statements.push(text);
    this.registers.clear();
  }

  private term(register: Register | undefined): Term {
    const found = register === undefined ? undefined : this.registers.get(register);
    return found ?? { text: `@register ${register}`, type: 'integer', registers: 1 };
  }

  private put(register: Register, term: Omit<Term, 'registers'>): true {
    this.registers.set(register, { ...term, registers: registersFor(term.type) });
    return true;
  }

  /** Follows an expression that only fills a register; false for others. */
  private load(e: NftExpression): boolean {
    switch (e.op) {
      case 'payload':
        return this.loadPayload(e);
      case 'meta':
        return this.put(e.register, { text: metaText(e.key), type: META_TYPES[e.key] });
      case 'ct':
        return this.put(e.register, { text: ctText(e.key, e.direction), type: CT_FIELDS[e.key].type });
      case 'rt':
        return this.put(e.register, { text: 'rt mtu', type: 'inet_service' });
      case 'numgen':
        return this.put(e.register, {
          text: `numgen ${e.mode} mod ${e.modulus}${offsetText(e.offset)}`,
          type: 'integer',
        });
      case 'symhash':
        return this.put(e.register, {
          text: `symhash mod ${e.modulus}${offsetText(e.offset)}`,
          type: 'integer',
        });
      case 'jhash': {
        const seed = e.seed === undefined ? '' : ` seed 0x${e.seed.toString(16)}`;
        const text = `jhash ${this.keyText(e.source)} mod ${e.modulus}${seed}${offsetText(e.offset)}`;
        this.registers.clear();
        return this.put(e.register, { text, type: 'integer' });
      }
      case 'fib':
        return this.loadFib(e);
      case 'bitwise': {
        const mask = { mask: parseHex(e.mask), xor: parseHex(e.xor) };
        return this.put(e.register, { ...this.term(e.source), mask });
      }
      case 'byteorder':
        return this.put(e.register, { ...this.term(e.source), sortable: e.to === 'network' });
      case 'immediate':
        return this.put(e.register, { text: e.value, type: 'integer', value: parseHex(e.value) });
      case 'lookup': {
        if (e.result === undefined || e.result === 'verdict') return false;
        const text = `${this.keyText(e.register)} map @${e.set}`;
        this.registers.clear();
        return this.put(e.result, { text, type: 'integer', isMap: true });
      }
      default:
        return false;
    }
  }

  private loadPayload(e: Of<'payload'>): true {
    const row = HEADER_FIELDS.find(
      (each) =>
        each.base === e.base && each.offset === e.offset && this.applies(each) && fits(each, e.length),
    );
    if (row === undefined) {
      const text = `@${BASE_NAMES[e.base]},${e.offset * 8},${e.length * 8}`;
      return this.put(e.register, { text, type: 'integer' });
    }
    for (const { layer } of row.requires) this.drop(layer);
    return this.put(e.register, {
      text: row.text,
      type: row.type,
      ...(e.length < row.length && { partial: true }),
    });
  }

  private loadFib(e: Of<'fib'>): true {
    const type = { oif: 'iface_index', oifname: 'ifname', type: 'fib_addrtype' } as const;
    return this.put(e.register, {
      text: `fib ${e.input.join(' . ')} ${e.result}`,
      type: type[e.result],
      ...(e.present && { existence: true }),
    });
  }

  /** Whether the packet is known to have the field's header, or the field is one of any transport protocol. */
  private applies(row: HeaderField): boolean {
    if (row.base === 'transport' && row.requires.length === 0) return this.transport === undefined;
    return row.requires.every(
      (requirement) =>
        requirement.layer === 'link' ||
        requirement.protocol === (requirement.layer === 'network' ? this.network : this.transport),
    );
  }

  private drop(layer: Layer): void {
    const index = this.dependencies.get(layer);
    if (index === undefined) return;
    this.statements[index] = undefined;
    this.dependencies.delete(layer);
  }

  private act(e: NftExpression): string {
    switch (e.op) {
      case 'cmp':
        return this.compare(e);
      case 'range':
        return this.rangeText(e.register, e.from, e.to, e.inverted ? '!= ' : '');
      case 'lookup': {
        const key = this.keyText(e.register);
        if (e.result === 'verdict') return `${key} vmap @${e.set}`;
        return `${key} ${e.inverted ? '!= ' : ''}@${e.set}`;
      }
      case 'meta-set':
        return `${metaText(e.key)} set ${printTerm(this.term(e.register), META_TYPES[e.key])}`;
      case 'ct-set':
        return `ct ${CT_FIELDS[e.key].text} set ${printTerm(this.term(e.register), CT_FIELDS[e.key].type)}`;
      case 'nat':
        return this.natText(e);
      case 'masquerade':
      case 'redirect': {
        const to = this.portText(e.port, e.portEnd);
        return [e.op, ...(to === '' ? [] : ['to', to]), ...flagsText(e.flags)].join(' ');
      }
      case 'dynset':
        return this.dynsetText(e);
      case 'tcp-option-set':
        return `${optionText(e)} set ${printTerm(this.term(e.register), 'inet_service')}`;
      default:
        return `# ${e.op}`;
    }
  }

  private compare(e: Of<'cmp'>): string {
    const term = this.term(e.register);
    const value = parseHex(e.value);
    // Bytes without a name are a number in network order.
    if (term.text.startsWith('@') && term.mask === undefined && (e.relation === 'eq' || e.relation === 'neq'))
      return `${term.text} ${e.relation === 'eq' ? '' : '!= '}0x${BigInt(e.value).toString(16)}`;
    if (e.relation === 'eq' && term.mask === undefined) this.noteDependency(term, value);
    return printComparison(term, e.relation, value);
  }

  private noteDependency(term: Term, value: Uint8Array): void {
    const name = bytesValue(term.type, value);
    const index = this.statements.length;
    if (term.text === 'meta nfproto' || term.text === 'meta protocol') {
      this.network = name === 'ipv4' ? 'ip' : name === 'ipv6' ? 'ip6' : `${name}`;
      this.dependencies.set('network', index);
    } else if (term.text === 'meta l4proto') {
      this.transport = `${name}`;
      this.dependencies.set('transport', index);
    } else if (term.text === 'meta iiftype' && name === 'ether') this.dependencies.set('link', index);
  }

  private rangeText(register: Register, from: string, to: string, sign: string): string {
    const { text, type, sortable = false } = this.term(register);
    const print = (hex: string) => printBytes(type, parseHex(hex), sortable);
    return `${text} ${sign}${print(from)}-${print(to)}`;
  }

  /** The fields that lie one behind the other from a register on: `ip saddr . tcp dport`. */
  private keyText(register: Register): string {
    const parts: string[] = [];
    for (let at = register; ; ) {
      const term = this.registers.get(at);
      if (term === undefined) break;
      parts.push(printTerm(term, term.type));
      at += term.registers;
    }
    return parts.length === 0 ? this.term(register).text : parts.join(' . ');
  }

  private natText(e: Of<'nat'>): string {
    const isInet = this.family === 'inet' || this.family === 'bridge' || this.family === 'netdev';
    const target = this.natTarget(e);
    return [
      e.type,
      ...(isInet ? [e.family === 4 ? 'ip' : 'ip6'] : []),
      ...(target === '' ? [] : ['to', target]),
      ...flagsText(e.flags),
    ].join(' ');
  }

  private natTarget(e: Of<'nat'>): string {
    const address = this.term(e.address);
    if (e.address !== undefined && address.isMap) return address.text;
    const type = e.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    const port = this.portText(e.port, e.portEnd);
    if (e.address === undefined) return port;
    const first = this.valueText(e.address, type);
    const last = e.addressEnd === undefined ? undefined : this.valueText(e.addressEnd, type);
    // A port behind an IPv6 address needs brackets around it.
    const bracket = (text: string) => (port !== '' && e.family === 6 ? `[${text}]` : text);
    return (last === undefined ? bracket(first) : `${bracket(first)}-${bracket(last)}`) + port;
  }

  private portText(port: Register | undefined, portEnd: Register | undefined): string {
    if (port === undefined) return '';
    const first = this.valueText(port, 'inet_service');
    return portEnd === undefined ? `:${first}` : `:${first}-${this.valueText(portEnd, 'inet_service')}`;
  }

  private valueText(register: Register, type: NftDataType): string {
    return printTerm(this.term(register), type);
  }

  private dynsetText(e: Of<'dynset'>): string {
    const parts = [this.keyText(e.register)];
    if (e.timeoutMs !== undefined) parts.push(`timeout ${printTime(e.timeoutMs)}`);
    for (const each of e.expressions ?? []) parts.push(printStatement(each, this.family, this.network) ?? '');
    if (e.dataRegister !== undefined) parts.push(`: ${this.keyText(e.dataRegister)}`);
    return `${e.action} @${e.set} { ${parts.join(' ')} }`;
  }
}

function isRange(low: Of<'cmp'>, high: Of<'cmp'>): boolean {
  return low.register === high.register && low.relation === 'gte' && high.relation === 'lte';
}

/** Whole fields, and the first bytes of addresses. */
function fits(row: HeaderField, length: number): boolean {
  return length === row.length || (length < row.length && DATA_TYPES[row.type].form === 'ip');
}

function offsetText(offset: number | undefined): string {
  return offset ? ` offset ${offset}` : '';
}

function flagsText(flags: readonly string[] | undefined): string[] {
  return flags === undefined || flags.length === 0 ? [] : [flags.join(',')];
}

function optionText({ option, offset, length }: Of<'tcp-option-set'>): string {
  if (option === 2 && offset === 2 && length === 2) return 'tcp option maxseg size';
  return `tcp option @${option},${offset * 8},${length * 8}`;
}
