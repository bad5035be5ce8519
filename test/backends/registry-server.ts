/**
 * The server that the hosts' leases are in, Debian's etcd or the embedded API server, and what an administrator does with leases there.
 * It listens in a namespace; the world it belongs to starts and ends its process.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inNetns, PROGRAM } from '../e2e/agent-world.ts';
import { HTTP_SCRIPT } from '../e2e/http-script.ts';

export const REGISTRIES = ['API server', 'etcd'] as const;
export type RegistryName = (typeof REGISTRIES)[number];

const ETCD_PORT = 2379;
const API_PORT = 6443;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/poplin-system/leases';
const ETCD_PREFIX = '/coreos.com/network';
/** What a node that is not there says of itself: addresses of nobody, and a key nobody has. */
const STRANGER = { 4: '192.168.60.99', 6: 'fd60::99', publicKey: Buffer.alloc(32, 7).toString('base64') };

interface LeaseObject {
  readonly metadata: { readonly name: string; readonly annotations: Record<string, string> };
  readonly spec: { readonly holderIdentity: string };
}

export class RegistryServer {
  readonly name: RegistryName;
  private readonly address: string;
  private readonly netns: string;
  private readonly folder: string;
  private readonly token = randomBytes(16).toString('hex');

  /** `folder` is where its files are, `address` where it listens. */
  constructor(name: RegistryName, folder: string, netns: string, address: string) {
    this.name = name;
    this.folder = folder;
    this.netns = netns;
    this.address = address;
  }

  /** What the API server is known by, and its clients. */
  async writeSecrets(): Promise<void> {
    if (this.name === 'etcd') return;
    const { generate } = await import('selfsigned');
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'store' }], {
      keyType: 'ec',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: this.address }] },
      ],
    });
    for (const [name, text] of Object.entries({ cert, key, token: this.token }))
      writeFileSync(this.file(`${name}.pem`), text);
  }

  /** The program and its arguments. */
  command(): [string, ...string[]] {
    const { address } = this;
    if (this.name === 'etcd') {
      const [url, peerUrl] = [`http://${address}:${ETCD_PORT}`, `http://${address}:2380`];
      return [
        ...(['etcd', '--data-dir', this.file('etcd')] as const),
        ...['--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`],
        ...['--heartbeat-interval', '10', '--election-timeout', '100'],
      ];
    }
    return [
      ...([process.execPath, PROGRAM, 'apiserver', '--db', this.file('store.sqlite')] as const),
      ...['--listen', `${address}:${API_PORT}`, '--token-file', this.file('token.pem')],
      ...['--tls-cert', this.file('cert.pem'), '--tls-key', this.file('key.pem')],
      ...['--write-kubeconfig', this.file('kubeconfig')],
    ];
  }

  /** Flags of an agent, that of a further network if one is named. */
  agentFlags(network?: string): string[] {
    const suffix = suffixOf(network);
    return this.name === 'etcd'
      ? [
          ...['--etcd-endpoints', `http://${this.address}:${ETCD_PORT}`],
          ...['--etcd-prefix', `${ETCD_PREFIX}${suffix}`],
        ]
      : [
          ...['--kubeconfig', this.file('kubeconfig')],
          ...['--net-conf', this.file(`net-conf${suffix}.json`), '--register-node'],
        ];
  }

  isAnswering(): boolean {
    try {
      if (this.name === 'etcd') this.etcd('--dial-timeout=1s', '--command-timeout=1s', 'endpoint', 'health');
      else this.api('GET', '/readyz');
      return true;
    } catch {
      return false;
    }
  }

  /** Says what a network is, the first one if none is named: net-conf.json in a file, and in etcd where that is the registry. */
  configure(netConf: object, network?: string): void {
    const [suffix, text] = [suffixOf(network), JSON.stringify(netConf)];
    writeFileSync(this.file(`net-conf${suffix}.json`), text);
    if (this.name === 'etcd') this.etcd('put', `${ETCD_PREFIX}${suffix}/config`, text);
  }

  /** Takes the leases away of the node that has one of the addresses, and this name. */
  removeLeases(node: string, addresses: readonly string[]): void {
    for (const [key] of this.etcdLeasesOf(addresses)) this.etcd('del', key);
    for (const { metadata } of this.leaseObjectsOf(node)) this.api('DELETE', `${LEASES}/${metadata.name}`);
  }

  /** From now on these leases are those of a node that is not there. */
  giveLeasesAway(node: string, addresses: readonly string[]): void {
    for (const [key, { PoplinOwner: _, ...value }] of this.etcdLeasesOf(addresses)) {
      const stranger = {
        ...value,
        ...('PublicIP' in value && { PublicIP: STRANGER[4] }),
        ...('PublicIPv6' in value && { PublicIPv6: STRANGER[6] }),
      };
      this.etcd('put', key, withStrangersKey(JSON.stringify(stranger)));
    }
    for (const lease of this.leaseObjectsOf(node)) {
      const { annotations } = lease.metadata;
      const isIpv6 = annotations['poplin.dev/subnet']?.includes(':') === true;
      const data = annotations['poplin.dev/backend-data'];
      annotations['poplin.dev/owner-uid'] = 'stranger-uid';
      annotations['poplin.dev/public-ip'] = STRANGER[isIpv6 ? 6 : 4];
      if (data !== undefined) annotations['poplin.dev/backend-data'] = withStrangersKey(data);
      const taken = { ...lease, spec: { ...lease.spec, holderIdentity: 'stranger' } };
      this.api('PUT', `${LEASES}/${lease.metadata.name}`, taken);
    }
  }

  /** Etcd forgets its history while it is written to: who watches is told that what it asks for is gone. */
  compact(): void {
    if (this.name !== 'etcd') return;
    for (let index = 0; index < 5; index++) this.etcd('put', '/elsewhere', String(index));
    const { header } = JSON.parse(this.etcd('get', '/elsewhere', '-w', 'json')) as {
      header: { revision: number };
    };
    this.etcd('compact', String(header.revision));
    this.etcd('defrag');
  }

  /** What etcdctl prints. */
  etcd(...args: string[]): string {
    return inNetns(
      this.netns,
      ...(['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', `http://${this.address}:${ETCD_PORT}`] as const),
      ...args,
    );
  }

  private etcdLeasesOf(addresses: readonly string[]): [key: string, value: Record<string, unknown>][] {
    if (this.name !== 'etcd') return [];
    const found = JSON.parse(this.etcd('get', '--prefix', `${ETCD_PREFIX}/subnets/`, '-w', 'json')) as {
      kvs?: { key: string; value: string }[];
    };
    const plain = (base64: string) => Buffer.from(base64, 'base64').toString();
    return (found.kvs ?? [])
      .map(({ key, value }) => [plain(key), plain(value)] as const)
      .filter(([, value]) => addresses.some((address) => value.includes(`"${address}"`)))
      .map(([key, value]) => [key, JSON.parse(value) as Record<string, unknown>]);
  }

  private leaseObjectsOf(node: string): LeaseObject[] {
    if (this.name === 'etcd') return [];
    const { items } = JSON.parse(this.api('GET', LEASES)) as { items: LeaseObject[] };
    return items.filter(({ spec }) => spec.holderIdentity === node);
  }

  private api(method: string, path: string, body?: object): string {
    return inNetns(
      this.netns,
      ...(['env', `NODE_EXTRA_CA_CERTS=${this.file('cert.pem')}`, process.execPath] as const),
      ...['--input-type=module', '-e', HTTP_SCRIPT, method, `https://${this.address}:${API_PORT}${path}`],
      ...[this.token, ...(body === undefined ? [] : [JSON.stringify(body)])],
    );
  }

  private file(name: string): string {
    return join(this.folder, name);
  }
}

function suffixOf(network: string | undefined): string {
  return network === undefined ? '' : `-${network}`;
}

function withStrangersKey(json: string): string {
  return json.replaceAll(/"PublicKey":"[^"]*"/g, `"PublicKey":"${STRANGER.publicKey}"`);
}
