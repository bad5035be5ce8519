export { type ApplyOffloadOptions, applyChecksumOffload, type OffloadDevice } from './apply.ts';
export { driverOf, featuresByIoctl, switchByIoctl } from './ethtool-ioctl.ts';
export { CHECKSUM_FEATURE, readFeatures, setFeature } from './features.ts';
export { type ProbeOptions, probeKernel } from './kernel-probe.ts';
export { OffloadKeeper, type OffloadKeeperOptions } from './offload-keeper.ts';
export { kernelFindings } from './probe-cache.ts';
