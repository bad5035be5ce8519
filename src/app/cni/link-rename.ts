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
      default:
        return object;
    }
  });
}
