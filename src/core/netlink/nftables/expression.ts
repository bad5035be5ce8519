/**
 * Expressions between the vocabulary of core/nft and the wire. What the kernel adds of itself (default bursts, flags that follow
 * from registers) is taken off again, so that an expression comes back as it was sent. Anything unknown becomes `other`.
 */
import { type Codec, decodeAll, encodeAll } from '#core/codec/index.ts';
import { formatHex, type NftExpression, parseHex } from '#core/nft/index.ts';
import { type ExpressionName, expressionData, type WireExpression } from './expression-codecs.ts';
import type { Readers, Writers } from './expression-mapping.ts';
import { loadReaders, loadWriters } from './load-expressions.ts';
import { statementReaders, statementWriters } from './statement-expressions.ts';

const writers: Writers = { ...loadWriters, ...statementWriters };
const readers: Readers = { ...loadReaders, ...statementReaders };

/** An expression as the kernel takes it. */
export function expressionToWire(expression: NftExpression): WireExpression {
  if (expression.op !== 'other') {
    const write = writers[expression.op] as (e: NftExpression) => WireExpression;
    return write(expression);
  }
  const { name } = expression;
  const bytes = parseHex(expression.bytes);
  return { name, data: isKnown(name) ? decodeAll(codecOf(name), bytes) : bytes };
}

/** An expression of the kernel in the vocabulary; what that does not have becomes `other`, byte for byte. */
export function expressionFromWire(wire: WireExpression): NftExpression {
  const { name = '', data = {} } = wire;
  if (data instanceof Uint8Array) return { op: 'other', name, bytes: formatHex(data) };
  if (!isKnown(name)) return { op: 'other', name, bytes: '0x' };
  const read = readers[name] as (d: typeof data) => NftExpression | undefined;
  // Attributes nobody here knows may change the meaning.
  const expression = 'unknown' in data ? undefined : read(data);
  return expression ?? { op: 'other', name, bytes: formatHex(encodeAll(codecOf(name), data)) };
}

function isKnown(name: string): name is ExpressionName {
  return Object.hasOwn(expressionData, name);
}

function codecOf(name: ExpressionName): Codec<object> {
  return expressionData[name];
}
