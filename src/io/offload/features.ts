/**
 * Features of network devices, by name, as `ethtool -k` and `-K` show and set them: by generic netlink, or by ioctl where the
 * kernel has no ethtool netlink (before Linux 5.6). Features that are off and cannot be switched are left out.
 */
import {
  type DeviceFeatures,
  decodeFamily,
  decodeFeatures,
  ETHTOOL_FAMILY,
  familyRequest,
  featuresRequest,
  setFeaturesRequest,
} from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { isNotFound, NETLINK_GENERIC, NetlinkSocket } from '#io/netlink/index.ts';
import { featuresByIoctl, switchByIoctl } from './ethtool-ioctl.ts';

/** A VXLAN device leaves the inner checksum to the device below (NETIF_F_HW_CSUM). */
export const CHECKSUM_FEATURE = 'tx-checksum-ip-generic';

/** Which features are on. Throws NetlinkError (or SystemCallError) ENODEV if there is no such link. */
export function readFeatures(namespace: Namespace, link: string): Map<string, boolean> {
  using ethtool = Ethtool.open(namespace);
  const { active, changeable } = ethtool?.read(link) ?? featuresByIoctl(namespace, link);
  return new Map([...changeable, ...active].map((name) => [name, active.has(name)]));
}

/** Switches one feature. Throws as readFeatures; also if the device does not let it be switched or does not know it. */
export function setFeature(namespace: Namespace, link: string, name: string, on: boolean): void {
  {
    using ethtool = Ethtool.open(namespace);
    if (ethtool === undefined) switchByIoctl(namespace, link, name, on);
    else ethtool.set(link, name, on);
  }
  // What a device has fixed stays as it is, and the kernel says nothing.
  if ((readFeatures(namespace, link).get(name) ?? false) !== on)
    throw new Error(`link ${link}: feature ${name} cannot be switched ${on ? 'on' : 'off'} on this device`);
}

class Ethtool implements Disposable {
  private readonly socket: NetlinkSocket;
  private readonly familyId: number;

  private constructor(socket: NetlinkSocket, familyId: number) {
    this.socket = socket;
    this.familyId = familyId;
  }

  /** Undefined if the kernel has no ethtool netlink. */
  static open(namespace: Namespace): Ethtool | undefined {
    const socket = NetlinkSocket.open({ protocol: NETLINK_GENERIC, namespace });
    try {
      const [answer] = socket.requestSync(familyRequest(ETHTOOL_FAMILY), `netlink family ${ETHTOOL_FAMILY}`);
      if (answer !== undefined) return new Ethtool(socket, decodeFamily(answer).id);
    } catch (error) {
      if (!isNotFound(error)) {
        socket.close();
        throw error;
      }
    }
    socket.close();
    return undefined;
  }

  read(link: string): DeviceFeatures {
    const [answer] = this.socket.requestSync(
      featuresRequest(this.familyId, link),
      `features of link ${link}`,
    );
    return answer === undefined ? { active: new Set(), changeable: new Set() } : decodeFeatures(answer);
  }

  set(link: string, name: string, on: boolean): void {
    const request = setFeaturesRequest(this.familyId, link, { [name]: on });
    this.socket.requestSync(request, `link ${link}: switch ${name} ${on ? 'on' : 'off'}`);
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}
