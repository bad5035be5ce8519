import { codecContract } from '#testing/codec-contract.ts';
import { NETLINK_CODECS } from './index.ts';

codecContract(NETLINK_CODECS);
