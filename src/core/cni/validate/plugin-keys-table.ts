/** The keys of each plugin's configuration and what their values are: those of the reference plugins, and ours. */

/** `count` is a whole number from 0; `bool` is true or false. */
export type ValueKind = 'string' | 'bool' | 'count' | 'list' | 'object' | 'strings';

export type KeyTable = Readonly<Record<string, ValueKind>>;

export interface PluginKeys {
  readonly keys: KeyTable;
  /** It works on what others made, and so cannot be the first. */
  readonly isChained?: true;
  /** Other keys are errors and not warnings: the plugin refuses them. */
  readonly isStrict?: true;
  /** It takes no `ipam`. */
  readonly hasNoIpam?: true;
}

const MASQUERADE = { ipMasq: 'bool', ipMasqBackend: 'string' } as const;

export const INTERFACE_PLUGIN_KEYS: Readonly<Record<string, PluginKeys>> = {
  poplin: { keys: { mtu: 'count', ipMasq: 'bool' }, isStrict: true },
  bridge: {
    keys: {
      ...MASQUERADE,
      bridge: 'string',
      isGateway: 'bool',
      isDefaultGateway: 'bool',
      forceAddress: 'bool',
      mtu: 'count',
      hairpinMode: 'bool',
      promiscMode: 'bool',
      vlan: 'count',
      vlanTrunk: 'list',
      preserveDefaultVlan: 'bool',
      macspoofchk: 'bool',
      enabledad: 'bool',
      disableContainerInterface: 'bool',
      portIsolation: 'bool',
    },
  },
  ptp: { keys: { ...MASQUERADE, mtu: 'count' } },
  macvlan: {
    keys: {
      master: 'string',
      mode: 'string',
      mtu: 'count',
      mac: 'string',
      linkInContainer: 'bool',
      bcqueuelen: 'count',
    },
  },
  ipvlan: { keys: { master: 'string', mode: 'string', mtu: 'count', linkInContainer: 'bool' } },
  vlan: { keys: { master: 'string', vlanId: 'count', mtu: 'count', linkInContainer: 'bool' } },
  tap: {
    keys: {
      multiQueue: 'bool',
      mtu: 'count',
      mac: 'string',
      owner: 'count',
      group: 'count',
      selinuxContext: 'string',
      bridge: 'string',
    },
  },
  dummy: { keys: {} },
  loopback: { keys: {}, hasNoIpam: true },
  'host-device': {
    keys: { device: 'string', hwaddr: 'string', kernelpath: 'string', pciBusID: 'string' },
  },
  portmap: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      backend: 'string',
      snat: 'bool',
      conditionsV4: 'strings',
      conditionsV6: 'strings',
      masqAll: 'bool',
      markMasqBit: 'count',
      externalSetMarkChain: 'string',
    },
  },
  bandwidth: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      ingressRate: 'count',
      ingressBurst: 'count',
      egressRate: 'count',
      egressBurst: 'count',
      unshapedSubnets: 'strings',
      shapedSubnets: 'strings',
    },
  },
  firewall: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      backend: 'string',
      iptablesAdminChainName: 'string',
      firewalldZone: 'string',
      ingressPolicy: 'string',
    },
  },
  tuning: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      sysctl: 'object',
      mac: 'string',
      promisc: 'bool',
      mtu: 'count',
      allmulti: 'bool',
      txQLen: 'count',
      dataDir: 'string',
    },
  },
  sbr: { isChained: true, hasNoIpam: true, keys: { table: 'count', addSourceHints: 'bool' } },
  vrf: { isChained: true, hasNoIpam: true, keys: { vrfname: 'string', table: 'count' } },
};

const ROUTES = { routes: 'list' } as const;

export const IPAM_PLUGIN_KEYS: Readonly<Record<string, KeyTable>> = {
  'host-local': {
    ...ROUTES,
    subnet: 'string',
    rangeStart: 'string',
    rangeEnd: 'string',
    gateway: 'string',
    ranges: 'list',
    dataDir: 'string',
    resolvConf: 'string',
  },
  static: { ...ROUTES, addresses: 'list', dns: 'object' },
  dhcp: {
    daemonSocketPath: 'string',
    provide: 'list',
    request: 'list',
    priority: 'count',
    hostname: 'string',
  },
};

export const LIST_KEYS = [
  'cniVersion',
  'cniVersions',
  'name',
  'disableCheck',
  'disableGC',
  'loadOnlyInlinedPlugins',
  'plugins',
] as const;

/** Keys of a plugin's configuration that the protocol defines, and such as any configuration may have. */
export const PROTOCOL_KEYS: KeyTable = {
  type: 'string',
  name: 'string',
  cniVersion: 'string',
  capabilities: 'object',
  ipam: 'object',
  dns: 'object',
  args: 'object',
  runtimeConfig: 'object',
  prevResult: 'object',
};

/** What CONVENTIONS.md names. */
export const CAPABILITIES = [
  'portMappings',
  'ipRanges',
  'bandwidth',
  'dns',
  'ips',
  'mac',
  'infinibandGUID',
  'deviceID',
  'aliases',
  'cgroupPath',
] as const;
