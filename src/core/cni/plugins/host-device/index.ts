export { hostDevicePlugin } from './host-device.ts';
