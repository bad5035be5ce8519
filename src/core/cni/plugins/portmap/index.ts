export { portmapPlugin } from './portmap.ts';
