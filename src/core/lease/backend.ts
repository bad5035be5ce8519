/**
 * The `Backend` object of net-conf.json: how packets cross from node to node, one schema per type. Keys, defaults and
 * limits are flannel's (Documentation/backends.md, pkg/backend). Which of them this build can carry out is for the
 * overlay to say; here they are read.
 */
import { z } from 'zod';

export interface VxlanConfig {
  readonly type: 'vxlan';
  readonly vni: number;
  readonly port: number;
  readonly gbp: boolean;
  readonly directRouting: boolean;
  readonly learning: boolean;
  /** The outer MTU in bytes; absent: the external interface's. */
  readonly mtuBytes?: number;
  /** Used on Windows alone, like `name`; read so that a shared file passes. */
  readonly macPrefix?: string;
  readonly name?: string;
}

export interface UdpConfig {
  readonly type: 'udp';
  readonly port: number;
}

export interface HostGwConfig {
  readonly type: 'host-gw';
}

export interface WireguardConfig {
  readonly type: 'wireguard';
  /** Base64; absent: no pre-shared key. */
  readonly psk?: string;
  readonly listenPort: number;
  readonly listenPortV6: number;
  readonly mtuBytes?: number;
  readonly mode: 'separate' | 'auto' | 'ipv4' | 'ipv6';
  /** 0: no keepalives. */
  readonly persistentKeepaliveSec: number;
}

export interface IpipConfig {
  readonly type: 'ipip';
  readonly directRouting: boolean;
}

export interface IpsecConfig {
  readonly type: 'ipsec';
  readonly psk: string;
  readonly udpEncap: boolean;
  readonly espProposal: string;
}

/** Leases only: no packets are carried. */
export interface AllocConfig {
  readonly type: 'alloc';
}

/** Commands, run at start and per remote subnet; an empty one is not run. */
export interface ExtensionConfig {
  readonly type: 'extension';
  readonly preStartupCommand: string;
  readonly postStartupCommand: string;
  readonly subnetAddCommand: string;
  readonly subnetRemoveCommand: string;
}

export type BackendConfig =
  | VxlanConfig
  | UdpConfig
  | HostGwConfig
  | WireguardConfig
  | IpipConfig
  | IpsecConfig
  | AllocConfig
  | ExtensionConfig;

const Port = z.int().min(1).max(65535);
const Mtu = z.int().min(0).max(65535).optional();
const Type = z.string().optional();

/** From the keys of the file to the typed model, one schema per backend type. */
export const BACKEND_SCHEMAS = {
  vxlan: z
    .object({
      Type,
      VNI: z.int().min(0).max(0xffffff).default(1),
      Port: z.int().min(0).max(65535).default(8472),
      GBP: z.boolean().default(false),
      DirectRouting: z.boolean().default(false),
      Learning: z.boolean().default(false),
      MTU: Mtu,
      MacPrefix: z
        .string()
        .regex(/^[0-9a-f]{2}-[0-9a-f]{2}$/i, 'must be two hexadecimal bytes such as "0E-2A"')
        .optional(),
      Name: z.string().optional(),
    })
    .transform(
      (keys): VxlanConfig => ({
        type: 'vxlan',
        vni: keys.VNI,
        // flannel hands 0 to the kernel, whose own default is the same port.
        port: keys.Port === 0 ? 8472 : keys.Port,
        gbp: keys.GBP,
        directRouting: keys.DirectRouting,
        learning: keys.Learning,
        ...(keys.MTU ? { mtuBytes: keys.MTU } : {}),
        ...(keys.MacPrefix === undefined ? {} : { macPrefix: keys.MacPrefix }),
        ...(keys.Name === undefined ? {} : { name: keys.Name }),
      }),
    ),
  udp: z
    .object({ Type, Port: Port.default(8285) })
    .transform((keys): UdpConfig => ({ type: 'udp', port: keys.Port })),
  'host-gw': z.object({ Type }).transform((): HostGwConfig => ({ type: 'host-gw' })),
  wireguard: z
    .object({
      Type,
      PSK: z
        .string()
        .regex(
          /^([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)?$/,
          'must be 32 bytes in base64, as "wg genpsk" prints',
        )
        .default(''),
      ListenPort: Port.default(51820),
      ListenPortV6: Port.default(51821),
      MTU: Mtu,
      Mode: z.enum(['separate', 'auto', 'ipv4', 'ipv6']).default('separate'),
      PersistentKeepaliveInterval: z.int().min(0).max(65535).default(0),
    })
    .transform(
      (keys): WireguardConfig => ({
        type: 'wireguard',
        ...(keys.PSK === '' ? {} : { psk: keys.PSK }),
        listenPort: keys.ListenPort,
        listenPortV6: keys.ListenPortV6,
        ...(keys.MTU ? { mtuBytes: keys.MTU } : {}),
        mode: keys.Mode,
        persistentKeepaliveSec: keys.PersistentKeepaliveInterval,
      }),
    ),
  ipip: z
    .object({ Type, DirectRouting: z.boolean().default(false) })
    .transform((keys): IpipConfig => ({ type: 'ipip', directRouting: keys.DirectRouting })),
  ipsec: z
    .object({
      Type,
      PSK: z.string().min(96),
      UDPEncap: z.boolean().default(false),
      ESPProposal: z.string().min(1).default('aes128gcm16-sha256-prfsha256-ecp256'),
    })
    .transform(
      (keys): IpsecConfig => ({
        type: 'ipsec',
        psk: keys.PSK,
        udpEncap: keys.UDPEncap,
        espProposal: keys.ESPProposal,
      }),
    ),
  alloc: z.object({ Type }).transform((): AllocConfig => ({ type: 'alloc' })),
  extension: z
    .object({
      Type,
      PreStartupCommand: z.string().default(''),
      PostStartupCommand: z.string().default(''),
      SubnetAddCommand: z.string().default(''),
      SubnetRemoveCommand: z.string().default(''),
    })
    .transform(
      (keys): ExtensionConfig => ({
        type: 'extension',
        preStartupCommand: keys.PreStartupCommand,
        postStartupCommand: keys.PostStartupCommand,
        subnetAddCommand: keys.SubnetAddCommand,
        subnetRemoveCommand: keys.SubnetRemoveCommand,
      }),
    ),
} as const satisfies Record<BackendConfig['type'], z.ZodType<BackendConfig>>;

export type BackendType = BackendConfig['type'];

/** Every backend type, in the order of the documentation. */
export const BACKEND_TYPES = Object.keys(BACKEND_SCHEMAS) as readonly BackendType[];

/** Keys whose values are never shown. */
export const SECRET_KEYS: readonly string[] = ['PSK'];
