/** Why an operation was not carried out, in the kernel's words or the encoder's. */
import { describeOp, type KernelOp, type OpFailure } from '#core/kernel/index.ts';
import { errnoText } from '#core/netlink/index.ts';
import type { MessageFailure } from '#io/netlink/index.ts';

/** A failure in the kernel's words. */
export function describeFailure(op: KernelOp, failure: MessageFailure): OpFailure {
  const text =
    failure.message === undefined
      ? errnoText(failure.code)
      : `${failure.message}: ${errnoText(failure.code)}`;
  return { op, code: failure.code, message: `${describeOp(op)}: ${text} (${failure.code})` };
}

/** An operation for which there is no message. */
export function encodeFailure(op: KernelOp, error: unknown): OpFailure {
  const code = (error as { code?: unknown }).code;
  const message = error instanceof Error ? error.message : String(error);
  return { op, code: typeof code === 'string' ? code : 'EINVAL', message: `${describeOp(op)}: ${message}` };
}
