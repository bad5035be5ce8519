/** struct tcmsg, message types and handles of traffic control (linux/rtnetlink.h, linux/pkt_sched.h). */
import { i32, pad, u8, u32 } from '#core/codec/index.ts';

export const RTM_QDISC = { NEW: 36, DEL: 37, GET: 38 } as const;
export const RTM_FILTER = { NEW: 44, DEL: 45, GET: 46 } as const;

/** Handles are a major and a minor number of 16 bits each. TC_H_INGRESS is also TC_H_CLSACT. */
export const TC_H = { ROOT: 0xffffffff, INGRESS: 0xfffffff1 } as const;
/** The handle of every ingress or clsact qdisc. */
export const INGRESS_HANDLE = 0xffff0000;
/** TC_H_CLSACT with TC_H_MIN_INGRESS: the parent of filters of what comes in, understood by both; `ingress` takes its handle too. */
export const INGRESS_FILTERS = 0xfffffff2;

/** The handle with this major number and no minor. */
export function handleOf(major: number): number {
  return major * 0x10000;
}

export function majorOf(handle: number): number {
  return handle >>> 16;
}

/** The fields of tcmsg, to be followed by an `attributes` field. */
export const trafficHeaderFields = {
  family: u8,
  reserved: pad(3),
  index: i32,
  handle: u32,
  parent: u32,
  /** Of filters: preference (16 bits), then the protocol as EtherType in network order. */
  extra: u32,
} as const;
