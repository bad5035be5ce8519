/** Sets, maps and their elements as `nft list` prints them. */
import { compare } from '#base/bytes.ts';
import { DATA_TYPES, type NftDataType, type NftValue, valueBytes } from './datatype.ts';
import type { NftElement, NftSet } from './objects.ts';
import { printRange, printTime, printValue, printVerdict } from './print-value.ts';

const NEXT_LINE = ',\n\t\t\t     ';
/** How many elements nft puts on a line; of all other types, one. */
const PER_LINE: Partial<Record<NftDataType, number>> = {
  nf_proto: 5,
  integer: 5,
  inet_proto: 5,
  inet_service: 5,
  tcp_flag: 5,
  mark: 5,
  iface_index: 5,
  ct_dir: 5,
  ipv4_addr: 2,
  ct_state: 2,
  ct_status: 2,
  pkt_type: 2,
};

/** The set with its elements, without a line end. */
export function printSet(set: NftSet, elements: readonly NftElement[]): string {
  const lines = [`\t${set.dataType === undefined ? 'set' : 'map'} ${set.name} {`];
  lines.push(`\t\ttype ${set.keyType.join(' . ')}${dataTypeText(set)}`);
  if (set.size !== undefined) lines.push(`\t\tsize ${set.size}`);
  const flags = flagsText(set);
  if (flags !== undefined) lines.push(`\t\tflags ${flags}`);
  if (set.timeoutMs !== undefined) lines.push(`\t\ttimeout ${printTime(set.timeoutMs)}`);
  if (set.comment !== undefined) lines.push(`\t\tcomment "${set.comment}"`);
  if (elements.length > 0) lines.push(`\t\telements = { ${elementsText(set, elements)} }`);
  lines.push('\t}');
  return lines.join('\n');
}

/** `10.0.0.1 . tcp . 80 comment "web" : goto target`. */
export function printElement(set: NftSet, element: NftElement): string {
  const parts = [
    set.keyType
      .map((type, index) => {
        const from = element.key[index] as NftValue;
        return printRange(type, from, element.keyEnd?.[index] ?? from);
      })
      .join(' . '),
  ];
  const { timeoutMs, comment, data } = element;
  if (timeoutMs !== undefined && timeoutMs !== set.timeoutMs) parts.push(`timeout ${printTime(timeoutMs)}`);
  if (comment !== undefined) parts.push(`comment "${comment}"`);
  if (data !== undefined) parts.push(`: ${dataText(set, data)}`);
  return parts.join(' ');
}

function dataTypeText({ dataType }: NftSet): string {
  if (dataType === undefined) return '';
  return ` : ${dataType === 'verdict' ? dataType : dataType.join(' . ')}`;
}

function flagsText(set: NftSet): string | undefined {
  const hasTimeouts = set.timeouts || set.timeoutMs !== undefined;
  // A default timeout says it all, unless the line is there for another flag.
  const shown = set.constant || set.dynamic || set.interval || (hasTimeouts && set.timeoutMs === undefined);
  if (!shown) return undefined;
  return [
    ...(set.constant ? ['constant'] : []),
    ...(set.dynamic ? ['dynamic'] : []),
    ...(set.interval ? ['interval'] : []),
    ...(hasTimeouts ? ['timeout'] : []),
  ].join(',');
}

function dataText(set: NftSet, data: NonNullable<NftElement['data']>): string {
  if ('verdict' in data) return printVerdict(data);
  const types = set.dataType === undefined || set.dataType === 'verdict' ? [] : set.dataType;
  return data.map((value, index) => printValue(types[index] ?? 'integer', value)).join(' . ');
}

function elementsText(set: NftSet, elements: readonly NftElement[]): string {
  const [type] = set.keyType;
  const perLine = (set.keyType.length === 1 && type !== undefined && PER_LINE[type]) || 1;
  return sorted(set, elements)
    .map((element, index, { length }) => {
      const end = index + 1 === length ? '' : (index + 1) % perLine === 0 ? NEXT_LINE : ', ';
      return printElement(set, element) + end;
    })
    .join('');
}

/** In nft's order: by value; concatenations from their last byte on, and with ranges as they come. */
function sorted(set: NftSet, elements: readonly NftElement[]): readonly NftElement[] {
  if (set.interval && set.keyType.length > 1) return elements;
  return elements
    .map((element) => ({ element, key: sortKey(set, element) }))
    .sort((a, b) => compare(a.key, b.key))
    .map(({ element }) => element);
}

function sortKey(set: NftSet, element: NftElement): Uint8Array {
  const [type] = set.keyType;
  const [value] = element.key;
  if (set.keyType.length === 1 && type !== undefined && value !== undefined) {
    const bytes = valueBytes(type, value, true);
    return DATA_TYPES[type].form === 'name' ? bytes.reverse() : bytes;
  }
  const bytes = set.keyType.flatMap((each, index) => [...valueBytes(each, element.key[index] as NftValue)]);
  return Uint8Array.from(bytes.reverse());
}
