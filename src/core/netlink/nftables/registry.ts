/** All codecs of nf_tables, for the tests that round-trip and fuzz every one. */
import { type RegisteredCodec, registry } from '#core/codec/index.ts';
import { batchMessage } from './batch.ts';
import { data } from './data.ts';
import { expression, expressionData } from './expression-codecs.ts';
import {
  chainMessage,
  elementsMessage,
  generationMessage,
  ruleMessage,
  setMessage,
  tableMessage,
} from './messages.ts';

export const NFTABLES_CODECS: readonly RegisteredCodec[] = [
  ...registry('nftables', {
    table: tableMessage,
    chain: chainMessage,
    rule: ruleMessage,
    set: setMessage,
    elements: elementsMessage,
    generation: generationMessage,
    batch: batchMessage,
    data,
    expression,
  }),
  ...registry('nftables.expression', expressionData),
];
