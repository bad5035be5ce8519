/** Ports, MTU, firewalls and programs that change the network too. */
import type { IpFamily } from '#base/ip/index.ts';
import type { BackendConfig, NetConf } from '#core/lease/index.ts';
import type { Finding, Firewall, HostFacts, InstallPlan, UdpSocket } from './facts.ts';

/** The UDP port on which packets of other nodes come in, by family. */
export function portsOf(backend: BackendConfig): Readonly<Record<IpFamily, number>> | undefined {
  switch (backend.type) {
    case 'vxlan':
    case 'udp':
      return { 4: backend.port, 6: backend.port };
    case 'wireguard':
      return { 4: backend.listenPort, 6: backend.listenPortV6 };
    default:
      return undefined;
  }
}

/** Bytes that a backend puts around a packet; as in core/overlay. */
function overheadBytes({ type }: BackendConfig, family: IpFamily): number {
  const header = family === 4 ? 20 : 40;
  if (type === 'vxlan') return header + 30;
  if (type === 'udp') return header + 8;
  if (type === 'ipip') return header;
  return type === 'wireguard' ? 80 : 0;
}

export function checkPorts({ udpSockets, links }: HostFacts, { netConf, families }: InstallPlan): Finding[] {
  const check = 'port';
  const ports = portsOf(netConf.backend);
  if (ports === undefined)
    return [{ check, level: 'ok', found: `${netConf.backend.type} needs none of its own` }];
  const numbers = [...new Set(families.map((family) => ports[family]))];
  const taken = udpSockets.filter(
    (socket) => families.includes(socket.family) && ports[socket.family] === socket.port,
  );
  const inTheWay = taken.filter((socket) => !isTakenOver(socket, links, netConf.backend));
  if (inTheWay.length === 0) return [{ check, level: 'ok', found: `UDP ${numbers.join(' and ')} is free` }];
  return inTheWay.map(({ port, address, process }) => ({
    check,
    level: 'problem',
    found: `UDP ${port} is taken at ${address} by ${process ?? 'a device of the kernel'}`,
    remedy: 'end it, or give every node another port in net-conf.json',
  }));
}

/** A device of the same name and kind is used as it is; so is the process that an agent left at work. */
function isTakenOver(
  { port, process }: UdpSocket,
  links: HostFacts['links'],
  backend: BackendConfig,
): boolean {
  if (process !== undefined) return process.startsWith('poplin-tunnel');
  if (backend.type === 'wireguard') return links.some(({ kind }) => kind === 'wireguard');
  return (
    backend.type === 'vxlan' &&
    links.some(
      ({ name, kind, port: own }) => kind === 'vxlan' && own === port && /^flannel(-v6)?\./.test(name),
    )
  );
}

/** RFC 8200 section 5. */
const LEAST_IPV6_MTU = 1280;

export function checkMtu({ underlay }: HostFacts, { netConf, families }: InstallPlan): Finding[] {
  const check = 'mtu';
  if (underlay === undefined)
    return [
      {
        check,
        level: 'warning',
        found: 'no default route tells which link carries the network',
        remedy: 'name it: poplin agent --iface LINK',
      },
    ];
  const { link, mtuBytes } = underlay;
  const overhead = Math.max(...families.map((family) => overheadBytes(netConf.backend, family)));
  const pods = mtuBytes - overhead;
  const found = `${link} carries ${mtuBytes} bytes, and ${netConf.backend.type} leaves ${pods} for pods`;
  if (!families.includes(6) || pods >= LEAST_IPV6_MTU) return [{ check, level: 'ok', found }];
  return [
    {
      check,
      level: 'problem',
      found: `${found}: IPv6 needs ${LEAST_IPV6_MTU}`,
      remedy: `ip link set ${link} mtu ${LEAST_IPV6_MTU + overhead}, if the network carries that`,
    },
  ];
}

export function checkFirewalls({ firewalls }: HostFacts, { netConf }: InstallPlan): Finding[] {
  const check = 'firewall';
  if (firewalls.length === 0) return [{ check, level: 'ok', found: 'neither firewalld nor ufw is at work' }];
  return firewalls.map((name) => ({
    check,
    level: 'warning',
    found: `${name} is at work: it drops packets of other nodes and of pods that it does not know of`,
    remedy: firewallCommands(name, netConf).join(' && '),
  }));
}

function firewallCommands(name: Firewall, netConf: NetConf): string[] {
  const ports = Object.values(portsOf(netConf.backend) ?? {});
  const networks = [netConf.ipv4?.network, netConf.ipv6?.network].filter((each) => each !== undefined);
  const numbers = [...new Set(ports)];
  if (name === 'firewalld')
    return [
      ...numbers.map((port) => `firewall-cmd --permanent --add-port=${port}/udp`),
      ...networks.map((network) => `firewall-cmd --permanent --zone=trusted --add-source=${network}`),
      'firewall-cmd --reload',
    ];
  return [
    ...numbers.map((port) => `ufw allow ${port}/udp`),
    ...networks.flatMap((network) => [
      `ufw allow from ${network}`,
      `ufw route allow from ${network}`,
      `ufw route allow to ${network}`,
    ]),
  ];
}

export function checkForward({ forwardDrops }: HostFacts): Finding[] {
  const check = 'forward';
  if (forwardDrops.length === 0) return [{ check, level: 'ok', found: 'no chain drops what is forwarded' }];
  return forwardDrops.map(({ program, chain }) =>
    program === 'nft'
      ? {
          check,
          level: 'warning',
          found: `the policy of nf_tables' chain ${chain} is drop, and no other table can undo that`,
          remedy: `accept the pods' network there: nft add rule ${chain} ip saddr NETWORK accept, and ip daddr`,
        }
      : {
          check,
          level: 'ok',
          found: `the policy of ${program}'s ${chain} is DROP: the agent accepts the network there, in POPLIN-FWD`,
        },
  );
}

export function checkNetworkd({ networkd }: HostFacts): Finding[] {
  const check = 'networkd';
  if (networkd !== 'removes')
    return [
      {
        check,
        level: 'ok',
        found: networkd === 'absent' ? 'not at work' : 'leaves routes and rules of others alone',
      },
    ];
  return [
    {
      check,
      level: 'warning',
      found:
        'systemd-networkd removes routes and rules it did not make, when it starts: the agent puts them back',
      remedy:
        'write "[Network]", "ManageForeignRoutes=no" and "ManageForeignRoutingPolicyRules=no" into /etc/systemd/networkd.conf.d/poplin.conf, a line each, and restart it',
    },
  ];
}

export function checkNmLinks({ networkManager }: HostFacts): Finding[] {
  const check = 'networkmanager';
  if (networkManager !== 'manages')
    return [
      {
        check,
        level: 'ok',
        found: networkManager === 'absent' ? 'not at work' : "leaves Poplin's links alone",
      },
    ];
  return [
    {
      check,
      level: 'warning',
      found: "NetworkManager may take over Poplin's links",
      remedy:
        'write "[keyfile]" and "unmanaged-devices=interface-name:flannel*;interface-name:pop*;interface-name:cni*;interface-name:veth*" into /etc/NetworkManager/conf.d/poplin.conf, a line each, and run nmcli general reload',
    },
  ];
}
