/** The objects of an attachment after its link got another name. */
import { type KernelObject, sysctlLink } from '#core/kernel/index.ts';

/** The same objects on the link's new name. */
export function withLinkRenamed(objects: readonly KernelObject[], from: string, to: string): KernelObject[] {
  return objects.map((object): KernelObject => {
    switch (object.kind) {
      case 'link':
        return object.name === from ? { ...object, name: to } : object;
      case 'address':
      case 'neighbour':
      case 'fdb':
      case 'qdisc':
      case 'wireguard-device':
      case 'wireguard-peer':
      case 'wireguard-allowed-ip':
        return object.link === from ? { ...object, link: to } : object;
      case 'filter': {
        const link = object.link === from ? to : object.link;
        return { ...object, link, ...(object.redirect === from && { redirect: to }) };
      }
      case 'route':
        return {
          ...object,
          nextHops: object.nextHops.map((hop) => (hop.link === from ? { ...hop, link: to } : hop)),
        };
      case 'sysctl':
        return sysctlLink(object.path) === from
          ? { ...object, path: object.path.replace(`/${from}/`, `/${to}/`) }
          : object;
      case 'nft-chain':
      case 'nft-element':
        return withWordRenamed(object, from, to);
      default:
        return object;
    }
  });
}

/** A link's name stands in keys and matches as a word of its own. */
function withWordRenamed<T>(value: T, from: string, to: string): T {
  if (typeof value === 'string') return (value === from ? to : value) as T;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((each: unknown) => withWordRenamed(each, from, to)) as T;
  const entries = Object.entries(value).map(([key, each]: [string, unknown]) => [
    key,
    withWordRenamed(each, from, to),
  ]);
  return Object.fromEntries(entries) as T;
}
