/** The types of nf_tables values. */

export type NftDataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'ether_type'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'ifname'
  | 'iface_index'
  | 'iface_type'
  | 'nf_proto'
  | 'ct_state'
  | 'ct_dir'
  | 'ct_status'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'pkt_type'
  | 'fib_addrtype'
  | 'dscp'
  | 'tcp_flag'
  | 'boolean'
  | 'integer';

export type NftValue = string | number;
