export { loadWireguardKeys, WIREGUARD_KEY_FILE, type WireguardKeyFile } from './wireguard-key.ts';
