export { type DhcpConfig, optionsOfClient, parseDhcpConfig } from './config.ts';
export { dhcpResult } from './result.ts';
