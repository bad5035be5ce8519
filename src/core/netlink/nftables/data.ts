/** NFTA_DATA_*: register contents or a verdict, in element data, immediates and comparisons. */
import { i32be, rest, text, u32be, type ValueOf } from '#core/codec/index.ts';
import { formatHex, type HexText, type NftVerdict, parseHex, type Register } from '#core/nft/index.ts';
import { attribute, attributes, nest } from '../attribute.ts';

export const data = attributes({
  value: attribute(1, rest),
  verdict: nest(
    2,
    attributes({ code: attribute(1, i32be), chain: attribute(2, text), chainId: attribute(3, u32be) }),
  ),
});
export type Data = ValueOf<typeof data>;

/** enum nft_verdicts and NF_ACCEPT, NF_DROP. */
const VERDICT_CODES: Readonly<Record<NftVerdict['verdict'], number>> = {
  drop: 0,
  accept: 1,
  continue: -1,
  break: -2,
  jump: -3,
  goto: -4,
  return: -5,
};

/** A verdict as NFTA_DATA. */
export function verdictData(verdict: NftVerdict): Data {
  const code = VERDICT_CODES[verdict.verdict];
  return { verdict: 'chain' in verdict ? { code, chain: verdict.chain } : { code } };
}

/** The verdict in the data; undefined if there is none or its code is unknown. */
export function dataVerdict(wire: Data | undefined): NftVerdict | undefined {
  const { code, chain } = wire?.verdict ?? {};
  if (code === undefined) return undefined;
  const name = (Object.keys(VERDICT_CODES) as NftVerdict['verdict'][]).find(
    (each) => VERDICT_CODES[each] === code,
  );
  if (name === undefined) return undefined;
  if (name === 'jump' || name === 'goto') return chain === undefined ? undefined : { verdict: name, chain };
  return { verdict: name };
}

/** Register contents as NFTA_DATA; throws a RangeError for text that is none. */
export function hexData(hex: HexText): Data {
  return { value: parseHex(hex) };
}

/** The register contents in the data; undefined if it holds none. */
export function dataHex(wire: Data | undefined): HexText | undefined {
  return wire?.value && formatHex(wire.value);
}

/** NFT_REG_VERDICT. */
export const VERDICT_REGISTER = 0;

/**
 * The kernel reports the registers 8, 12, 16 and 20 by their old names 1 to 4 (nft_dump_register); this is 8 to 23 again.
 * Undefined for the verdict register and for an absent attribute.
 */
export function registerOf(wire: number | undefined): Register | undefined {
  if (wire === undefined || wire === VERDICT_REGISTER) return undefined;
  return wire <= 4 ? 4 + wire * 4 : wire;
}
