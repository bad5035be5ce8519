/** TCA_OPTIONS of a token bucket filter (linux/pkt_sched.h, TCA_TBF_*). Rates are bytes in a second, buffers ticks of 64 ns. */
import { bytes, struct, u8, u16, u32, u64 } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';

/** struct tc_ratespec. */
const rateSpecification = struct({
  cellLog: u8,
  linkLayer: u8,
  overhead: u16,
  cellAlign: u16,
  mpu: u16,
  rate: u32,
});

export const tbfOptions = attributes({
  /** struct tc_tbf_qopt. */
  parameters: attribute(
    1,
    struct({ rate: rateSpecification, peakRate: rateSpecification, limit: u32, buffer: u32, mtu: u32 }),
  ),
  /** What a packet of each size costs, for kernels before 3.8. */
  rateTable: attribute(2, bytes(1024)),
  peakRateTable: attribute(3, bytes(1024)),
  /** Of rates that 32 bits cannot hold: `parameters.rate.rate` is then all ones. */
  rate64: attribute(4, u64),
  peakRate64: attribute(5, u64),
  burst: attribute(6, u32),
  peakBurst: attribute(7, u32),
});
