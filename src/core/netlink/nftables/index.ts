export { batchBegin, batchEnd, decodeGeneration, generationRequest } from './batch.ts';
export { chainRequest, tableRequest } from './dump.ts';
export { FAMILY_NUMBERS, familyOfNumber, NFT_GROUPS, NFT_MESSAGE, tableOfMessage } from './header.ts';
export { NftMirror } from './mirror.ts';
export { NFTABLES_CODECS } from './registry.ts';
export { encodeNftOps, type NftTransaction } from './transaction.ts';
