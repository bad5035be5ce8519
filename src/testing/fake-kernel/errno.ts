/** The errors FakeKernel raises: the kernel's codes with their texts. */
import type { KernelObject } from '#core/kernel/index.ts';

export type FakeState = Map<string, KernelObject>;

const TEXT = {
  EEXIST: 'file exists',
  ENOENT: 'no such file or directory',
  ESRCH: 'no such process',
  ENODEV: 'no such device',
  EADDRNOTAVAIL: 'cannot assign requested address',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  EBUSY: 'device or resource busy',
  EINVAL: 'invalid argument',
} as const;

export type FakeErrnoCode = keyof typeof TEXT;

export class FakeErrno extends Error {
  override readonly name = 'FakeErrno';
  readonly code: FakeErrnoCode;
  constructor(code: FakeErrnoCode) {
    super(`${TEXT[code]} (${code})`);
    this.code = code;
  }
}
