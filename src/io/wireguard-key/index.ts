export {
  loadWireguardKeys,
  WIREGUARD_KEY_FILE,
  type WireguardKeyFile,
  wireguardKeyProblem,
} from './wireguard-key.ts';
