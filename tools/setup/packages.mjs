// @ts-check
/**
 * The Debian packages Poplin needs, each with its reason, and the arithmetic on that table.
 * A row counts as present when the thing it is there for is found, whoever put it there; so other distributions and
 * hand-built tools pass. Pure: the caller looks at the machine.
 */

/**
 * @typedef {'run' | 'check' | 'test'} Mode
 * @typedef {object} SystemPackage
 * @property {string} name the Debian package
 * @property {string} proof a command looked up on PATH, or an absolute path
 * @property {readonly Mode[]} modes the modes that need it
 * @property {boolean} privileged true if only tests that run as root use it
 * @property {string} reason
 */

/** @type {readonly SystemPackage[]} */
export const PACKAGES = [
  row('gcc', 'cc', ['run', 'test'], 'compiles the addon and the CNI client'),
  row(
    'libc6-dev',
    '/usr/include/stdio.h',
    ['run', 'test'],
    'C and kernel headers, and libc.a for the static client',
  ),
  rootTest('iproute2', 'ip', 'reads links, routes and neighbours back as an independent witness'),
  rootTest('nftables', 'nft', 'lists our tables back as an independent witness'),
  rootTest('iptables', 'iptables', 'is what the reference portmap programs, and lists its rules back'),
  rootTest('ipset', 'ipset', 'holds the sets of the iptables rules that policy is measured against'),
  rootTest('conntrack', 'conntrack', 'lists the flows that NAT remembers'),
  rootTest('socat', 'socat', 'serves and fetches a line of text through published ports'),
  rootTest('iputils-ping', 'ping', 'proves reachability between pods'),
  rootTest('iperf3', 'iperf3', 'carries bulk traffic through overlays and shapers'),
  rootTest('procps', 'ps', 'looks for processes left behind'),
  rootTest('util-linux', 'unshare', 'makes namespaces without our own code (unshare, nsenter)'),
  rootTest('python3', 'python3', 'sends raw packets and opens odd sockets'),
  rootTest(
    'python3-prometheus-client',
    '/usr/lib/python3/dist-packages/prometheus_client/parser.py',
    'reads what /metrics says',
  ),
  rootTest('ethtool', 'ethtool', 'lists the features of links as an independent witness'),
  rootTest('openssl', 'openssl', 'makes certificates for the benchmark'),
  rootTest('unzip', 'unzip', 'unpacks kubectl, the foreign client of the embedded API server'),
  rootTest('qemu-system-x86', 'qemu-system-x86_64', 'runs tests under a kernel that has what this one lacks'),
  rootTest('wireguard-tools', 'wg', 'sets up peers of the wireguard backend as other software does'),
  rootTest('kmod', 'depmod', 'lists the modules of that kernel, and loads them in it'),
  rootTest(
    'busybox-static',
    '/bin/busybox',
    'what containers of the tests and the virtual machine run, and a DHCP server (udhcpd) whose leases last seconds',
  ),
  rootTest(
    'containernetworking-plugins',
    '/usr/lib/cni/host-local',
    'the reference CNI plugins: oracle and chain partners',
  ),
  rootTest('containerd', 'containerd', 'a container runtime that calls our plugins'),
  rootTest('runc', 'runc', 'starts the containers of containerd and podman'),
  rootTest('dnsmasq-base', 'dnsmasq', 'answers pods whose policies speak of names'),
  rootTest('etcd-server', 'etcd', 'the store that flannel keeps its leases in'),
  rootTest('etcd-client', 'etcdctl', 'writes keys as an operator does, and turns authentication on'),
  rootTest('bird2', 'bird', 'a BGP and BFD speaker that our sessions and tables are tried against'),
  rootTest('frr', '/usr/lib/frr/bgpd', 'another one, for BGP and BFD'),
  rootTest('gobgpd', 'gobgpd', 'another one, which speaks additional paths and long-lived restarts'),
  rootTest('exabgp', 'exabgp', 'another one, which prints each message it reads'),
  rootTest('tshark', 'tshark', 'reads what we tell BMP stations'),
  rootTest(
    'ca-certificates',
    '/etc/ssl/certs/ca-certificates.crt',
    'the authorities that the container image trusts',
  ),
  rootTest('podman', 'podman', 'another runtime that calls our plugins'),
];

/**
 * @param {Mode} mode
 * @param {boolean} isRoot an ordinary user skips the privileged tests, so needs nothing for them
 * @returns {SystemPackage[]}
 */
export function packagesFor(mode, isRoot) {
  return PACKAGES.filter((row) => row.modes.includes(mode) && (isRoot || !row.privileged));
}

/**
 * @param {readonly SystemPackage[]} wanted
 * @param {(proof: string) => boolean} isPresent
 */
export function missingPackages(wanted, isPresent) {
  return wanted.filter((row) => !isPresent(row.proof));
}

/**
 * Reads `dpkg-query -W -f '${Package} ${db:Status-Status}\n'`.
 * @param {string} output
 * @returns {Set<string>} the names dpkg calls installed
 */
export function installedNames(output) {
  const lines = output.split('\n').map((line) => line.split(' '));
  return new Set(lines.flatMap(([name, status]) => (name && status === 'installed' ? [name] : [])));
}

/**
 * The one command an administrator has to run.
 * @param {readonly SystemPackage[]} missing
 */
export function installCommand(missing) {
  const names = missing.map((row) => row.name).join(' ');
  return `sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${names}'`;
}

/** @type {(name: string, proof: string, modes: readonly Mode[], reason: string) => SystemPackage} */
function row(name, proof, modes, reason) {
  return { name, proof, modes, privileged: false, reason };
}

/** @type {(name: string, proof: string, reason: string) => SystemPackage} */
function rootTest(name, proof, reason) {
  return { name, proof, modes: ['test'], privileged: true, reason };
}
