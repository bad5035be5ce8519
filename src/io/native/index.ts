export {
  addonPath,
  type NativeAddon,
  type NativeExchange,
  nativeAddon,
  type PollHandle,
  type SystemCallError,
} from './addon.ts';
