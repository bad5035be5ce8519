/**
 * A node whose pods are devices of the test's own, routed or on a bridge, and an uplink to everybody else; what the compiler wants is applied
 * by the real kernel. Packets are written by whoever sends them, and looked for where they should arrive: no program is started for one.
 *
 *     pod N  10.1.1.N fd01:1::N ── podN ─┐
 *                                        ├── node  172.16.0.1 fd16::1 ── up0 ── everybody else
 *     pod M  10.1.1.M fd01:1::M ── podM ─┘   (bridged: br0, 10.1.1.1 fd01:1::1)
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { familyOf, parseMac } from '#base/ip/index.ts';
import { type Amendment, DesiredState, describeOp, POLICY, plan } from '#core/kernel/index.ts';
import { type LocalEndpoint, POLICY_PART } from '#core/policy/compile/index.ts';
import type { Flow } from '#core/policy/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import { PacketDevice } from './packet-device.ts';

export type WorldMode = 'routed' | 'bridged' | 'tracked';
/** What the compiler is told. `tracked` is a bridge whose connections the kernel tracks itself. */
export const BRIDGE_MODES = { routed: 'none', bridged: 'netfilter', tracked: 'conntrack' } as const;
/** Numbers of pods, which are the last parts of their addresses. */
const NUMBERS = Array.from({ length: 14 }, (_, at) => at + 2);
export const NODE_ADDRESSES = { 4: '172.16.0.1', 6: 'fd16::1' } as const;
const BRIDGE_MAC = '02:00:00:00:00:01';

/** The reason to skip what needs br_netfilter, if the kernel has none. */
export const NO_BRIDGE_NETFILTER = 'the kernel gives no bridged packets to netfilter (br_netfilter)';

export function hasBridgeNetfilter(): boolean {
  return existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables');
}

export function addressOf(number: number, family: 4 | 6): string {
  return family === 4 ? `10.1.1.${number}` : `fd01:1::${number.toString(16)}`;
}

export class PolicyWorld implements Disposable {
  readonly mode: WorldMode;
  readonly #folder = new NamespaceFolder('pnft');
  readonly #namespace = this.#folder.make('node');
  readonly #kernel: RealKernel;
  /** All that is open, gone also when the world cannot be laid. */
  readonly #resources: Disposable;
  readonly #pods = new Map<number, PacketDevice>();
  readonly #uplink = new PacketDevice(this.#namespace, 'up0', 'tun');
  #desired = new DesiredState();
  #sent = 0;

  constructor(mode: WorldMode) {
    this.mode = mode;
    const device = mode === 'routed' ? 'tun' : 'tap';
    using undo = new DisposableStack();
    undo.use(this.#folder);
    undo.use(this.#uplink);
    for (const number of NUMBERS)
      this.#pods.set(number, undo.use(new PacketDevice(this.#namespace, `pod${number}`, device)));
    this.#lay();
    this.#kernel = undo.use(RealKernel.open(this.#namespace, { owners: [POLICY] }));
    const sysctls = ['call-iptables', 'call-ip6tables', 'filter-vlan-tagged'];
    this.#kernel.trackSysctls(sysctls.map((name) => `net/bridge/bridge-nf-${name}`));
    this.#resources = undo.move();
  }

  get path(): string {
    return this.#namespace.path;
  }

  /** The pod that has these addresses. Of every second one the number of its link is known, unless it is said. */
  endpoint(key: string, addresses: readonly string[], isNumbered?: boolean): LocalEndpoint {
    const number = numberOf(addresses[0] ?? '') ?? 0;
    const link = `pod${number}`;
    const linkNumber = (isNumbered ?? number % 2 === 0) ? this.#kernel.linkIndex(link) : undefined;
    return {
      key,
      addresses,
      link,
      ...(linkNumber !== undefined && { linkNumber }),
      ...(this.mode !== 'routed' && { bridge: 'br0', mac: macOf(number) }),
    };
  }

  /** Wants what the amendments say that came since the last reset. */
  async amend(amendment: Amendment): Promise<number> {
    this.#desired.amend(POLICY_PART, amendment);
    const { ops } = plan(this.#desired.state, this.#kernel.state(), {
      owners: [POLICY],
      only: this.#desired.takeDirty(),
    });
    return this.#apply(ops);
  }

  /** What is not as it is wanted, all looked at. */
  get differences(): string[] {
    return plan(this.#desired.state, this.#kernel.state(), { owners: [POLICY] }).ops.map(describeOp);
  }

  /** Reads everything anew. */
  resync(): void {
    this.#kernel.resync();
  }

  /** Wants this and nothing else. */
  async reset(amendment: Amendment): Promise<void> {
    this.#desired = new DesiredState();
    this.#desired.amend(POLICY_PART, amendment);
    this.#desired.settle();
    await this.#apply(plan(this.#desired.state, this.#kernel.state(), { owners: [POLICY] }).ops);
  }

  /** Sends the packet that opens a flow from where its source is, and says whether it comes to its destination, or an answer from the node. */
  passes(flow: Flow, options: { from?: number; hopLimit?: number } = {}): boolean {
    const tag = `pnft-${this.#sent++}`;
    const { from = numberOf(flow.source), hopLimit = 64 } = options;
    // An answer of the node would make the next question to it one that belongs to a connection.
    const packet = packetOf(flow, { payload: tag, hopLimit, identifier: this.#sent & 0xffff });
    const source = this.#deviceAt(from);
    const isToNode = Object.values<string>(NODE_ADDRESSES).includes(flow.destination);
    const target = isToNode ? source : this.#deviceAt(numberOf(flow.destination));
    target.received();
    source.send(this.#framed(packet, from, numberOf(flow.destination)));
    return target
      .received()
      .some((each) =>
        isToNode ? isAnswer(this.#bare(each, target), flow) : Buffer.from(each).includes(tag),
      );
  }

  /** What a pod, or the uplink, was sent since anybody looked. */
  received(number: number | undefined): Uint8Array[] {
    return this.#deviceAt(number).received();
  }

  /** Anything, as a pod would send it. */
  send(number: number, bytes: Uint8Array): void {
    this.#deviceAt(number).send(bytes);
  }

  sh(commandLine: string): string {
    return inNamespace(this.path, 'sh', '-ec', commandLine);
  }

  [Symbol.dispose](): void {
    this.#resources[Symbol.dispose]();
  }

  async #apply(ops: ReturnType<typeof plan>['ops']): Promise<number> {
    const { failures } = await this.#kernel.apply(ops);
    if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
    return ops.length;
  }

  #deviceAt(number: number | undefined): PacketDevice {
    return (number === undefined ? undefined : this.#pods.get(number)) ?? this.#uplink;
  }

  #framed(packet: Uint8Array, from: number | undefined, to: number | undefined): Uint8Array {
    if (this.mode === 'routed' || from === undefined || !this.#pods.has(from)) return packet;
    const isV4 = (packet[0] ?? 0) >> 4 === 4;
    const destination = to === undefined || !this.#pods.has(to) ? BRIDGE_MAC : macOf(to);
    return frame(destination, macOf(from), isV4 ? 0x0800 : 0x86dd, packet);
  }

  #bare(bytes: Uint8Array, device: PacketDevice): Uint8Array {
    return this.mode !== 'routed' && device !== this.#uplink ? bytes.subarray(14) : bytes;
  }

  /** In few processes: each takes its time in a virtual machine. */
  #lay(): void {
    this.sh(
      `sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.default.accept_dad=0 \
         net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0`,
    );
    const links = [
      'link set lo up',
      `address add ${NODE_ADDRESSES[4]}/32 dev lo`,
      `address add ${NODE_ADDRESSES[6]}/128 dev lo`,
      'link set up0 up',
      'route add default dev up0',
      'route add ::/0 dev up0',
      ...NUMBERS.map((number) => `link set pod${number} up`),
    ];
    if (this.mode === 'routed') return this.#batch('ip', [...links, ...NUMBERS.flatMap(routesTo)]);
    this.#batch('ip', [
      `link add br0 address ${BRIDGE_MAC} type bridge mcast_snooping 0`,
      'link set br0 up',
      ...links,
      'address add 10.1.1.1/24 dev br0',
      'address add fd01:1::1/64 dev br0 nodad',
      ...NUMBERS.flatMap(portOf),
    ]);
    this.#batch(
      'bridge',
      NUMBERS.map((number) => `fdb add ${macOf(number)} dev pod${number} master static`),
    );
    this.#batch(
      'bridge',
      NUMBERS.map((number) => `link set dev pod${number} hairpin on`),
    );
  }

  #batch(program: 'ip' | 'bridge', lines: readonly string[]): void {
    execFileSync('nsenter', [`--net=${this.path}`, program, '-batch', '-'], { input: lines.join('\n') });
  }
}

function routesTo(number: number): string[] {
  return ([4, 6] as const).map((family) => `route add ${addressOf(number, family)} dev pod${number}`);
}

function portOf(number: number): string[] {
  return [
    `link set pod${number} master br0`,
    ...([4, 6] as const).map(
      (family) => `neigh add ${addressOf(number, family)} lladdr ${macOf(number)} dev br0`,
    ),
  ];
}

export function macOf(number: number): string {
  return `02:00:00:00:01:${number.toString(16).padStart(2, '0')}`;
}

export function frame(destination: string, source: string, type: number, payload: Uint8Array): Uint8Array {
  const bytes = (mac: string): Uint8Array => parseMac(mac) ?? new Uint8Array(6);
  return Buffer.concat([bytes(destination), bytes(source), Uint8Array.of(type >> 8, type & 0xff), payload]);
}

/** The number of the local pod that an address is of. */
function numberOf(address: string): number | undefined {
  const [, four] = /^10\.1\.1\.(\d+)$/.exec(address) ?? [];
  const [, six] = /^fd01:1::([0-9a-f]+)$/.exec(address) ?? [];
  if (four !== undefined) return Number(four);
  return six === undefined ? undefined : Number.parseInt(six, 16);
}

/** Whether the node answers: with what was asked for, or that there is no such port or protocol. */
function isAnswer(packet: Uint8Array, { source, destination }: Flow): boolean {
  const [at, length] = familyOf(source) === 4 ? [12, 4] : [8, 16];
  const text = (start: number): string => Buffer.from(packet.subarray(start, start + length)).toString('hex');
  const wanted = packetOf({ source: destination, destination: source, protocol: 17 });
  const want = (start: number): string => Buffer.from(wanted.subarray(start, start + length)).toString('hex');
  return packet.length >= at + 2 * length && text(at) === want(at) && text(at + length) === want(at + length);
}
