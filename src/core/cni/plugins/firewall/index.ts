export { firewallPlugin } from './firewall.ts';
