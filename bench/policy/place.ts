/** Where packets are measured: a node that forwards between the namespaces of two of its pods. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { createNamespace, removeNamespace, writeSysctl } from '#io/namespace/index.ts';
import { addressesOf, type Sizes } from './content.ts';

/** Two pods of OWN_NODE in one namespace, of one application: its policies let them talk. */
export const SERVER = 120;
export const CLIENT = 1120;
const GATEWAYS = ['169.254.1.1', 'fe80::1'] as const;

export class Place implements Disposable {
  readonly node: string;
  readonly server: string;
  readonly client: string;

  constructor(folder: string, name: string, sizes: Sizes) {
    const path = (what: string) => join(folder, `${name}-${what}`);
    [this.node, this.server, this.client] = [path('node'), path('server'), path('client')];
    for (const each of [this.node, this.server, this.client]) {
      using namespace = createNamespace(each);
      writeSysctl(namespace, 'net/ipv6/conf/default/accept_dad', '0');
      writeSysctl(namespace, 'net/ipv4/ip_forward', '1');
      writeSysctl(namespace, 'net/ipv6/conf/all/forwarding', each === this.node ? '1' : '0');
    }
    this.join(this.server, SERVER, sizes);
    this.join(this.client, CLIENT, sizes);
  }

  /** Has the node's kernel follow connections. */
  track(): void {
    this.sh(
      this.node,
      `nft 'table inet bench { chain forward { type filter hook forward priority 0; ct state established,related accept; }; }'`,
    );
  }

  sh(netns: string, script: string): void {
    execFileSync('nsenter', [`--net=${netns}`, 'sh', '-ec', script], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  [Symbol.dispose](): void {
    for (const each of [this.node, this.server, this.client]) removeNamespace(each);
  }

  private join(pod: string, at: number, sizes: Sizes): void {
    const link = `veth${at}`;
    const [ipv4, ipv6] = addressesOf(at, sizes);
    this.sh(
      this.node,
      `ip link add ${link} address 02:00:00:00:00:01 type veth peer name eth0 netns ${pod}
       ip addr add ${GATEWAYS[0]}/32 dev ${link} scope link
       ip addr add ${GATEWAYS[1]}/64 dev ${link}
       ip link set ${link} up
       ip route add ${ipv4}/32 dev ${link}
       ip route add ${ipv6}/128 dev ${link}`,
    );
    this.sh(
      pod,
      `ip link set lo up
       ip link set eth0 up
       ip addr add ${ipv4}/32 dev eth0
       ip addr add ${ipv6}/128 dev eth0
       ip route add ${GATEWAYS[0]} dev eth0 scope link
       ip route add default via ${GATEWAYS[0]} dev eth0
       ip -6 route add default via ${GATEWAYS[1]} dev eth0`,
    );
  }
}
