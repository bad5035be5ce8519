/** A pod's link as its DHCP client needs it: found when there is something to send, and its address put on and taken off. */
import { type Attachment, dhcpResult, podRoute } from '#core/cni/index.ts';
import type { DhcpLease } from '#core/dhcp/index.ts';
import type { KernelOp, Link, OpFailure } from '#core/kernel/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { namespaceId } from '#io/namespace/index.ts';
import type { StoredClient } from './stored-lease.ts';

/** True while the client's namespace is at its path. */
export function isPodThere({ netns, namespaceId: id }: StoredClient): boolean {
  return namespaceId(netns) === id;
}

/** Works on the pod's link; undefined if namespace or link are gone. */
export function withPodLink<T>(
  client: Pick<StoredClient, 'netns' | 'namespaceId'> & { readonly attachment: Pick<Attachment, 'ifName'> },
  work: (pod: PodKernel, link: Link & { readonly index: number }) => T,
): T | undefined {
  if (namespaceId(client.netns) !== client.namespaceId) return undefined;
  using pod = PodKernel.open(client.netns);
  const link = pod.link(client.attachment.ifName);
  return link === undefined ? undefined : work(pod, link);
}

/** Sets the link up: plugins of others leave that to us. Returns what the kernel refused. */
export async function bringUp(client: StoredClient): Promise<readonly OpFailure[]> {
  if (!isPodThere(client)) return [];
  using pod = PodKernel.open(client.netns);
  const link = pod.link(client.attachment.ifName);
  if (link === undefined || link.up === true) return [];
  const { name, detail } = link;
  const wish: Link = { kind: 'link', name, detail, up: true };
  return await pod.apply([{ verb: 'replace', object: wish, previous: { ...wish, up: false } }]);
}

/** Puts a lease's address and routes on the link. Returns what the kernel refused. */
export async function putOn(client: StoredClient, lease: DhcpLease): Promise<readonly OpFailure[]> {
  const { ifName } = client.attachment;
  const { ips, routes } = dhcpResult(lease, client.config);
  const objects: KernelOp[] = [
    ...ips.map(
      ({ address }): KernelOp => ({ verb: 'add', object: { kind: 'address', link: ifName, address } }),
    ),
    ...routes
      .map((route) => podRoute(route, ifName, lease.router))
      // What is on the link comes before what is behind it.
      .sort((a, b) => Number(a.scope !== 'link') - Number(b.scope !== 'link'))
      .map((object): KernelOp => ({ verb: 'add', object })),
  ];
  return changePod(client, objects);
}

/** Takes a lease's address off the link; the kernel takes the routes that go by it. */
export async function takeOff(client: StoredClient, lease: DhcpLease): Promise<readonly OpFailure[]> {
  const { ifName } = client.attachment;
  const object = { kind: 'address', link: ifName, address: lease.address } as const;
  return changePod(client, [{ verb: 'remove', object }]);
}

async function changePod(client: StoredClient, ops: readonly KernelOp[]): Promise<readonly OpFailure[]> {
  if (!isPodThere(client)) return [];
  using pod = PodKernel.open(client.netns);
  return await pod.apply(ops);
}
