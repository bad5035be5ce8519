import { registry } from '#core/codec/index.ts';
import { codecContract } from '#testing/codec-contract.ts';
import { advertisementCodec, solicitationCodec } from '../discovery/index.ts';
import {
  aggregatorCodec,
  asPathCodec,
  largeCommunitiesCodec,
  nextHopCodec,
  numbersCodec,
  originCodec,
  twoOctetAggregatorCodec,
  twoOctetAsPathCodec,
} from './attribute-values.ts';
import { CAPABILITY_CODECS } from './capability-table.ts';
import { notificationCodec } from './notification.ts';
import { refreshCodec } from './refresh.ts';

codecContract(
  registry('bgp', {
    ...CAPABILITY_CODECS,
    origin: originCodec,
    asPath: asPathCodec,
    twoOctetAsPath: twoOctetAsPathCodec,
    nextHop: nextHopCodec,
    aggregator: aggregatorCodec,
    twoOctetAggregator: twoOctetAggregatorCodec,
    numbers: numbersCodec,
    largeCommunities: largeCommunitiesCodec,
    notification: notificationCodec,
    refresh: refreshCodec,
    routerSolicitation: solicitationCodec,
    routerAdvertisement: advertisementCodec,
  }),
);
