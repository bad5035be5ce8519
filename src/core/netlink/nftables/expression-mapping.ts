/** The shape of the two tables of functions between expressions and the wire: none of either side may be missing. */
import type { ExpressionOp, NftExpression } from '#core/nft/index.ts';
import type { ExpressionData, ExpressionName, WireExpression } from './expression-codecs.ts';

/** One function for each expression of the vocabulary. */
export type Writers = {
  readonly [O in Exclude<ExpressionOp, 'other'>]: (
    expression: Extract<NftExpression, { op: O }>,
  ) => WireExpression;
};

/** One function for each expression of the kernel; undefined for what the vocabulary cannot say. */
export type Readers = {
  readonly [N in ExpressionName]: (data: ExpressionData[N]) => NftExpression | undefined;
};
