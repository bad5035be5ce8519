/** The MTU of pods: what the underlay carries less what a backend puts around a packet. */
import type { IpFamily } from '#base/ip/index.ts';

/** RFC 8200 section 5: the least MTU of a link that carries IPv6. */
const IPV6_MIN_MTU_BYTES = 1280;

/**
 * The MTU that fits every family's way, bytes; `overheadBytes` says what is added in each. Throws RangeError where that is too little for
 * IPv6.
 */
export function podMtuBytes(
  underlayMtuBytes: number,
  families: readonly IpFamily[],
  overheadBytes: (outer: IpFamily) => number,
): number {
  const mtuBytes = underlayMtuBytes - Math.max(...families.map(overheadBytes));
  if (families.includes(6) && mtuBytes < IPV6_MIN_MTU_BYTES) {
    throw new RangeError(
      `an underlay MTU of ${underlayMtuBytes} bytes leaves ${mtuBytes} for pods, and IPv6 needs ${IPV6_MIN_MTU_BYTES}: ` +
        `raise it to ${IPV6_MIN_MTU_BYTES + overheadBytes(6)}, or leave IPv6 out of the network`,
    );
  }
  return mtuBytes;
}
