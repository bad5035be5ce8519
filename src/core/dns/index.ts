/** What DNS servers answer, read from packets. */
export {
  type AddressRecord,
  type AliasRecord,
  type DnsResponse,
  decodeDnsResponse,
} from './response.ts';
