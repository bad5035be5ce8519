/**
 * The keys of each plugin's configuration: what their values are, what holds where they are not given, what they mean. One declaration
 * of a key serves `poplin cni validate` and the tables of docs/cni.md; a test holds them against what the plugins parse.
 */

/** `count` is a whole number from 0; `bool` is true or false. */
export type ValueKind = 'string' | 'bool' | 'count' | 'list' | 'object' | 'strings';

export interface KeyRow {
  readonly kind: ValueKind;
  /** What holds without the key, as the documentation says it; `required` where it must be given. */
  readonly default: string;
  /** Markdown, one line. */
  readonly meaning: string;
  /** What is other than with the reference plugin. */
  readonly compat?: string;
  /** A value that does something is error 2. */
  readonly isRefused?: true;
}

export type KeyTable = Readonly<Record<string, KeyRow>>;

export interface PluginKeys {
  readonly keys: KeyTable;
  /** What is read of `runtimeConfig`, by the capability's name. */
  readonly capabilities?: Readonly<Record<string, string>>;
  /** It works on what others made, and so cannot be the first. */
  readonly isChained?: true;
  /** Other keys are errors and not warnings: the plugin refuses them. */
  readonly isStrict?: true;
  /** It takes no `ipam`. */
  readonly hasNoIpam?: true;
  /** It completes `ipam` before an IPAM plugin sees it. */
  readonly hasOpenIpam?: true;
}

const MTU = count('the kernel’s', 'MTU of both ends');
const MASTER = string(
  'link of the default route',
  'the link of the host that the container’s stands on; with `linkInContainer` one of the container',
);
const IN_CONTAINER = flag('the master is a link of the container’s namespace, not of the host’s');
const MAC = string(
  'follows from network, container, interface',
  'MAC address; `runtimeConfig.mac`, `args.cni.mac` and `MAC` in CNI_ARGS win over it, in this order',
);
/** Of plugins whose reference takes it from the runtime alone. */
const OWN_MAC = { ...MAC, compat: 'no key of the reference plugin' } as const;
const MASQUERADE = {
  ipMasq: flag('what the container sends out of its own network gets the host’s address'),
  ipMasqBackend: {
    ...string('–', '`iptables` or `nftables`'),
    compat: 'accepted; nf_tables does it in either case',
  },
} as const;
const MAC_CAPABILITY = { mac: 'the MAC address' } as const;

export const INTERFACE_PLUGIN_KEYS: Readonly<Record<string, PluginKeys>> = {
  poplin: {
    isStrict: true,
    capabilities: MAC_CAPABILITY,
    keys: {
      mtu: count('what fits through the overlay', 'MTU of both ends'),
      ipMasq: refused(
        flag('the host does not change the source of what containers send'),
        'only `false` is accepted: error 2',
      ),
    },
  },
  bridge: {
    capabilities: MAC_CAPABILITY,
    keys: {
      bridge: string('`cni0`', 'made if missing; an existing one keeps its MTU and MAC address'),
      isGateway: flag('the bridge gets the gateway’s address, and forwarding is turned on'),
      isDefaultGateway: flag(
        'as `isGateway`, and the container’s default route goes there unless `ipam.routes` has one',
      ),
      forceAddress: flag('other addresses are taken off the bridge, even while containers are attached'),
      ...MASQUERADE,
      mtu: count('the kernel’s', 'of the pair, and of the bridge when it is made'),
      mac: OWN_MAC,
      hairpinMode: flag('the bridge sends back by a port what came in there; not with `promiscMode`'),
      promiscMode: flag('the bridge is promiscuous; not with `hairpinMode`'),
      enabledad: flag('duplicate address detection in the container; without it IPv6 works at once'),
      vlan: count('0', 'the VLAN of the container’s port, without a tag; not with `isGateway`'),
      vlanTrunk: list('–', 'the VLANs that the port carries with tags'),
      preserveDefaultVlan: { ...flag('the port stays in the bridge’s default VLAN too'), default: 'true' },
      macspoofchk: flag('what is sent from another MAC address than the container’s is dropped'),
      portIsolation: flag('ports that are isolated do not reach each other'),
      disableContainerInterface: flag('the interface stays down; not with `ipam`'),
    },
  },
  ptp: { capabilities: MAC_CAPABILITY, keys: { ...MASQUERADE, mtu: MTU, mac: OWN_MAC } },
  macvlan: {
    capabilities: MAC_CAPABILITY,
    keys: {
      master: MASTER,
      mode: string('`bridge`', '`bridge`, `private`, `vepa` or `passthru`'),
      mtu: count('the master’s', 'no more than the master’s'),
      mac: MAC,
      linkInContainer: IN_CONTAINER,
      bcqueuelen: count('the kernel’s', 'how many broadcast packets wait'),
    },
  },
  ipvlan: {
    keys: {
      master: string('the one interface of `prevResult`, else the link of the default route', MASTER.meaning),
      mode: string('`l2`', '`l2`, `l3` or `l3s`'),
      mtu: count('the master’s', 'MTU of the link'),
      linkInContainer: IN_CONTAINER,
    },
  },
  vlan: {
    keys: {
      master: MASTER,
      vlanId: count('0', 'the VLAN, up to 4094'),
      mtu: count('the master’s', 'no more than the master’s'),
      linkInContainer: IN_CONTAINER,
    },
  },
  tap: {
    capabilities: MAC_CAPABILITY,
    keys: {
      multiQueue: flag('the device has several queues'),
      mtu: count('the kernel’s', 'MTU of the device'),
      mac: MAC,
      owner: count('–', 'the user that may open it'),
      group: count('–', 'the group that may open it'),
      selinuxContext: {
        ...string('–', 'the SELinux context it is made in'),
        compat: 'error 2 where SELinux is at work, without effect elsewhere',
      },
      bridge: string('–', 'a bridge of the container it becomes a port of'),
    },
  },
  dummy: { capabilities: MAC_CAPABILITY, keys: { mac: MAC } },
  loopback: { keys: {}, hasNoIpam: true },
  flannel: {
    capabilities: { '*': 'all of it is the delegate’s' },
    hasOpenIpam: true,
    keys: {
      subnetFile: string(
        '`/run/flannel/subnet.env`',
        'where the daemon writes the node’s subnet, the cluster’s networks, the MTU and whether it masquerades',
      ),
      dataDir: string(
        '`/var/lib/cni/flannel`',
        'where the delegates’ configurations are kept, a file for each interface of a container',
      ),
      delegate: {
        ...string(
          '`{"type":"bridge"}`',
          'configuration of the plugin that makes the interface, without `name` and `ipam`; unless it has them, `mtu` and `ipMasq` come from the file, and `isGateway` is true for `bridge`',
        ),
        kind: 'object',
      },
    },
  },
  'host-device': {
    capabilities: { deviceID: 'the PCI address; wins over `pciBusID`' },
    keys: {
      device: string('–', 'the link’s name; one of the four must be given, the first of them counts'),
      hwaddr: string('–', 'its MAC address'),
      kernelpath: string('–', 'its device below `/sys/devices/`'),
      pciBusID: string('–', 'its PCI address, such as `0000:01:00.0`'),
    },
  },
  portmap: {
    isChained: true,
    hasNoIpam: true,
    capabilities: {
      portMappings:
        'list of `hostPort`, `containerPort`, `protocol` (`tcp`, `udp`, `sctp`), `hostIP`; without any, the result is passed on',
    },
    keys: {
      snat: {
        ...string('true', 'what would be answered past the translation gets the host’s address as source'),
        kind: 'bool',
      },
      masqAll: flag('all connections to mapped ports do'),
      conditionsV4: strings(
        '–',
        'mapped only where this is so: `-s`, `-d`, `-i`, `!`, or the same in nft’s words',
      ),
      conditionsV6: strings('–', 'likewise for IPv6'),
      backend: {
        ...string('–', '`iptables` or `nftables`'),
        compat: 'accepted; nf_tables does it in either case',
      },
      markMasqBit: {
        ...count('–', 'a bit of the packet’s mark'),
        compat: 'accepted, without meaning: no mark is used',
      },
      externalSetMarkChain: {
        ...string('–', 'a chain of iptables that sets the mark'),
        compat: 'accepted, without meaning; not with `markMasqBit`',
      },
    },
  },
  bandwidth: {
    isChained: true,
    hasNoIpam: true,
    capabilities: { bandwidth: 'the same keys; passed over if the configuration has any of them' },
    keys: {
      ingressRate: count(
        'no limit',
        'bits per second that go to the container, at least 8; with `ingressBurst` or not at all',
      ),
      ingressBurst: count('no limit', 'bits of a burst, under 4 GB (2³² − 1 bytes)'),
      egressRate: count('no limit', 'bits per second that the container sends'),
      egressBurst: count('no limit', 'bits of a burst'),
      unshapedSubnets: refused(strings('–', 'networks that are not limited'), 'refused with error 2'),
      shapedSubnets: refused(strings('–', 'the networks that alone are limited'), 'refused with error 2'),
    },
  },
  firewall: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      ingressPolicy: string(
        '`open`',
        '`open`: what is forwarded to and from the container is accepted; `same-bridge`: networks with a policy are closed to each other; `isolated`: containers of one network too',
      ),
      backend: {
        ...string('–', '`iptables`, `nftables` or `firewalld`'),
        compat: 'nf_tables is used; `firewalld` is error 2',
      },
      iptablesAdminChainName: {
        ...string('–', 'a chain of iptables with the operator’s rules'),
        compat: 'told of in a warning: nothing leads there; put such rules into a base chain of your own',
      },
      firewalldZone: { ...string('–', 'a zone of firewalld'), compat: 'accepted, without meaning' },
    },
  },
  tuning: {
    isChained: true,
    hasNoIpam: true,
    capabilities: MAC_CAPABILITY,
    keys: {
      sysctl: {
        ...string('–', 'values by name, below `net.`; `IFNAME` in a name is the interface'),
        kind: 'object',
      },
      mac: { ...MAC, default: 'as it is' },
      promisc: flag('the interface is promiscuous'),
      mtu: count('as it is', 'MTU of the interface'),
      allmulti: { ...flag('the interface takes in all multicast'), default: 'as it is' },
      txQLen: count('as it is', 'length of its transmit queue'),
      dataDir: string(
        '`/run/cni/tuning`',
        'where the values of before are kept, in the reference plugin’s form',
      ),
    },
  },
  sbr: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      table: count('the first that is free, from 100', 'the routing table'),
      gateways: strings('–', 'gateways for addresses that have none, by family'),
      addSourceHints: flag('the interface’s networks stay in the main table, with its addresses as source'),
    },
  },
  vrf: {
    isChained: true,
    hasNoIpam: true,
    keys: {
      vrfname: string('required', 'the VRF, made with its first interface and removed with its last'),
      table: count('the first that is free', 'its routing table'),
    },
  },
};

const ROUTES = list('–', '`dst`, and `gw`, `mtu`, `advmss`, `priority`, `table`, `scope` where wanted');
const ASKED = { ips: 'addresses asked for; so do `args.cni.ips`, and `IP` in CNI_ARGS' } as const;

export const IPAM_PLUGIN_KEYS: Readonly<Record<string, Pick<PluginKeys, 'keys' | 'capabilities'>>> = {
  'host-local': {
    capabilities: { ...ASKED, ipRanges: 'more ranges, before the configured ones' },
    keys: {
      ranges: list(
        '–',
        'lists of ranges (`subnet`, `rangeStart`, `rangeEnd`, `gateway`); one address from each list',
      ),
      subnet: string('–', 'the old form: one range in `ipam` itself'),
      rangeStart: string('the second address', 'of `subnet`'),
      rangeEnd: string('the last but the broadcast address', 'of `subnet`'),
      gateway: string('the first address', 'of `subnet`'),
      routes: ROUTES,
      dataDir: string('`/var/lib/cni/networks`', 'where the files of addresses are'),
      resolvConf: string('–', 'a resolv.conf whose settings go into the result'),
    },
  },
  static: {
    capabilities: ASKED,
    keys: {
      addresses: list(
        '–',
        '`address` with its length, and `gateway` where wanted; needed unless the runtime asks for some',
      ),
      routes: ROUTES,
      dns: { ...string('–', '`nameservers`, `domain`, `search`, `options` of the result'), kind: 'object' },
    },
  },
  dhcp: {
    keys: {
      provide: list(
        '–',
        'options sent to the server: `option`, `value`, `fromArg`, which names a parameter of `args.cni` or CNI_ARGS whose value wins',
      ),
      request: list(
        '–',
        'options asked for beside 121, 1, 3 and 33: `option`; with `skipDefault` instead of them (the mask is always asked for)',
      ),
      priority: count('the kernel’s', 'metric of the routes'),
      daemonSocketPath: {
        ...string('–', 'where the reference’s daemon listens'),
        compat: 'accepted, without meaning: the agent is the daemon',
      },
    },
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
export const PROTOCOL_KEYS: Readonly<Record<string, ValueKind>> = {
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

function string(byDefault: string, meaning: string): KeyRow {
  return { kind: 'string', default: byDefault, meaning };
}

function count(byDefault: string, meaning: string): KeyRow {
  return { kind: 'count', default: byDefault, meaning };
}

function list(byDefault: string, meaning: string): KeyRow {
  return { kind: 'list', default: byDefault, meaning };
}

function strings(byDefault: string, meaning: string): KeyRow {
  return { kind: 'strings', default: byDefault, meaning };
}

function flag(meaning: string): KeyRow {
  return { kind: 'bool', default: 'false', meaning };
}

function refused(row: KeyRow, compat: string): KeyRow {
  return { ...row, compat, isRefused: true };
}
