export { connectEtcd, type EtcdConnection } from './client.ts';
export { type EtcdFollower, type EtcdFollowOptions, followEtcd } from './follower.ts';
export { checkEtcdOptions, type EtcdOptions, EtcdOptionsError } from './options.ts';
export type { EtcdLogger } from './transport.ts';
