/** Before an agent first touches the kernel: what flannel left there for the same network is made ours, in place. */
import type { Logger } from 'pino';
import {
  describeOp,
  type Kernel,
  type KernelObject,
  type KernelState,
  keyOf,
  OVERLAY,
  type Owner,
  ownerOf,
} from '#core/kernel/index.ts';
import { fullSnapshotRequests, snapshotOf } from '#core/netlink/index.ts';
import { planTakeOver } from '#core/overlay/index.ts';
import { KernelSession } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';

/** Names of operations a log line carries at most. */
const LOGGED_OPS = 8;

export interface TakeOverOptions {
  readonly kernel: Kernel;
  /** The one `kernel` works in. */
  readonly namespace: Namespace;
  /** Whose devices and routes they become; absent: OVERLAY. */
  readonly owner?: Owner;
  readonly logger: Logger;
}

/**
 * For OverlayMember's `takeOver`. Never rejects: what cannot be taken over is named, stays where it is, and the kernel loop then tells
 * of a conflict. Repeated after a crash it goes on where it was.
 */
export function takeOverFromFlannel(
  options: TakeOverOptions,
): (wanted: readonly KernelObject[]) => Promise<void> {
  const { kernel, namespace, owner = OVERLAY, logger } = options;
  return async (wanted) => {
    if (!mayBeFlannels(kernel.state(), wanted, owner)) return;
    try {
      const ops = planTakeOver(readHost(namespace), wanted, owner);
      if (ops.length === 0) return;
      const { applied, failures } = await kernel.apply(ops);
      const first = ops.slice(0, LOGGED_OPS).map(describeOp);
      logger.info({ ops: applied, first }, 'taken over from flannel');
      if (failures.length > 0)
        logger.warn(
          { failures: failures.map(({ message }) => message) },
          'not all was taken over from flannel',
        );
    } catch (error) {
      logger.error({ err: error }, 'nothing was taken over from flannel');
    }
  };
}

/**
 * Where a device of ours is wanted, flannel's is the sign of flannel, or a route that is missing on a device that stayed ours while
 * flannel ran again (`state` shows no unmarked routes); without devices only all routes can tell.
 */
function mayBeFlannels(state: KernelState, wanted: readonly KernelObject[], owner: Owner): boolean {
  const links = wanted.filter((object) => object.kind === 'link' && ownerOf(object, state) === owner);
  if (links.length === 0 || links.some((link) => isForeign(state.get(keyOf(link)), state))) return true;
  const isStanding = links.some((link) => state.has(keyOf(link)));
  return isStanding && wanted.some((object) => object.kind === 'route' && !state.has(keyOf(object)));
}

function isForeign(found: KernelObject | undefined, state: KernelState): boolean {
  return found !== undefined && ownerOf(found, state) === undefined;
}

/** All there is in a namespace's links, addresses, routes, rules, neighbours and forwarding entries, whoever made it. */
export function readHost(namespace: Namespace): KernelState {
  using socket = KernelSession.openRouteSocket(namespace);
  return snapshotOf(fullSnapshotRequests().flatMap((request) => socket.dump(request, 'dump of the host')));
}
