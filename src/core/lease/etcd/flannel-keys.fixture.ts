/** Keys and values as flannel nodes and operators of flannel write them, in the forms of its documentation and source. */

export interface FlannelKey {
  readonly what: string;
  /** Below `subnets/`. */
  readonly name: string;
  readonly value: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
}

const WG = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';

export const FLANNEL_KEYS: readonly FlannelKey[] = [
  {
    what: 'vxlan',
    name: '10.5.52.0-24',
    value:
      '{"PublicIP":"192.0.2.10","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"82:4b:b6:2f:54:4e"}}',
    ipv4: '10.5.52.0/24',
  },
  {
    what: 'vxlan in dual stack',
    name: '10.5.7.0-24&fd00:10:244:7::-64',
    value:
      '{"PublicIP":"192.0.2.11","PublicIPv6":"2001:db8::11","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"aa:bb:cc:00:11:22"},"BackendV6Data":{"VNI":1,"VtepMAC":"aa:bb:cc:00:11:23"}}',
    ipv4: '10.5.7.0/24',
    ipv6: 'fd00:10:244:7::/64',
  },
  {
    what: 'wireguard',
    name: '10.5.200.0-26',
    value: `{"PublicIP":"192.0.2.12","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"${WG}"}}`,
    ipv4: '10.5.200.0/26',
  },
  {
    what: 'host-gw, which tells nothing',
    name: '10.5.1.0-24',
    value: '{"PublicIP":"192.0.2.13","PublicIPv6":null,"BackendType":"host-gw"}',
    ipv4: '10.5.1.0/24',
  },
  {
    what: 'an earlier flannel, with nulls',
    name: '10.5.2.0-24',
    value: '{"PublicIP":"192.0.2.14","BackendType":"udp","BackendData":null}',
    ipv4: '10.5.2.0/24',
  },
  {
    what: 'a reservation by hand',
    name: '10.5.3.0-24',
    value: '{ "PublicIP" : "192.0.2.15" }\n',
    ipv4: '10.5.3.0/24',
  },
  {
    what: 'another order, other spelling and members of others',
    name: '10.5.4.0-24',
    value:
      '{"x-site":{"rack":  7,"big":12345678901234567890},"BackendData":{"VtepMAC":"0A:0b:0c:0d:0e:0f","VNI":1},"backendtype":"vxlan","publicIP":"192.0.2.16","1":1.0}',
    ipv4: '10.5.4.0/24',
  },
  {
    what: 'IPv6 alone, with zeros in the place of IPv4',
    name: '0.0.0.0-0&fd00:10:244:9::-64',
    value: '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::19","BackendType":"host-gw"}',
    ipv6: 'fd00:10:244:9::/64',
  },
];
