/**
 * Drivers of network cards known to spoil the inner checksums of encapsulated packets that they are asked to fill in. Nothing on
 * the node shows it: the card, or the hypervisor behind it, drops or damages the packet on its way out. A row needs a public
 * report that names the driver. virtio_net is not here: the fault is that of single hypervisors, and the driver is everywhere.
 */

export interface FaultyDriver {
  /** As `ethtool -i` names it. */
  readonly driver: string;
  /** What was seen. */
  readonly fault: string;
  readonly source: string;
}

const FAULTY_DRIVERS: readonly FaultyDriver[] = [
  {
    driver: 'vmxnet3',
    fault: 'ESXi drops encapsulated packets whose inner checksum is left to the card',
    source: 'https://github.com/projectcalico/calico/issues/4727',
  },
];

/** The row of a driver, or undefined. */
export function faultyDriver(driver: string): FaultyDriver | undefined {
  return FAULTY_DRIVERS.find((row) => row.driver === driver);
}
