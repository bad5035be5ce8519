export { DhcpLeases } from './leases.ts';
