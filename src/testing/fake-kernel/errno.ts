/** The errors FakeKernel raises: the kernel's codes with their texts. */
import type { KernelObject } from '#core/kernel/index.ts';
import { errnoText } from '#core/netlink/index.ts';

export type FakeState = Map<string, KernelObject>;

export type FakeErrnoCode =
  | 'EEXIST'
  | 'ENOENT'
  | 'ESRCH'
  | 'ENODEV'
  | 'EADDRNOTAVAIL'
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EBUSY'
  | 'EOPNOTSUPP'
  | 'EINVAL';

/** A refusal, as the kernel would word it. */
export class FakeErrno extends Error {
  override readonly name = 'FakeErrno';
  readonly code: FakeErrnoCode;
  constructor(code: FakeErrnoCode) {
    super(`${errnoText(code)} (${code})`);
    this.code = code;
  }
}
