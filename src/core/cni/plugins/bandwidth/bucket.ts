/**
 * A rate and a burst as the token bucket that the reference implementation makes of them (containernetworking/plugins 1.1,
 * plugins/meta/bandwidth), so that either finds what the other made as it should be.
 */
import type { QdiscDetail } from '#core/kernel/index.ts';

export type Shape = QdiscDetail & { readonly type: 'tbf' };

const LATENCY_USEC = 25_000;
const USEC_PER_SEC = 1_000_000;
/** /proc/net/psched: a tick is 64 ns (PSCHED_SHIFT is 6). */
const TICKS_PER_USEC = 1000 / 64;
const U32_MAX = 0xffffffff;

/**
 * The bucket of a rate in bits per second and a burst in bits, both at least 8. Each step rounds down, as the integers of the
 * reference do; what 32 bits cannot hold becomes the most they can.
 */
export function shapeOf(rateBits: number, burstBits: number): Shape {
  const rateBytesPerSec = Math.floor(rateBits / 8);
  const burstBytes = Math.floor(burstBits / 8);
  const fillUsec = Math.floor((burstBytes * USEC_PER_SEC) / rateBytesPerSec);
  return {
    type: 'tbf',
    rateBytesPerSec,
    bucketTicks: Math.min(Math.floor(fillUsec * TICKS_PER_USEC), U32_MAX),
    limitBytes: Math.min(Math.floor((rateBytesPerSec * LATENCY_USEC) / USEC_PER_SEC) + burstBytes, U32_MAX),
  };
}

/** How much may pass at once. */
export function burstBytesOf({ rateBytesPerSec, bucketTicks }: Shape): number {
  return Math.floor((bucketTicks / TICKS_PER_USEC / USEC_PER_SEC) * rateBytesPerSec);
}

/**
 * True if a bucket is the wished one. Where a number does not fit 32 bits the reference lets it wrap around, whatever is left of the
 * burst: such a bucket passes too, having been made by the rules of its maker.
 */
export function isShapedAs(found: QdiscDetail, wished: Shape): boolean {
  if (found.type !== 'tbf' || found.rateBytesPerSec !== wished.rateBytesPerSec) return false;
  const fits = (value: number, wish: number) => value === wish || wish === U32_MAX;
  return fits(found.bucketTicks, wished.bucketTicks) && fits(found.limitBytes, wished.limitBytes);
}
