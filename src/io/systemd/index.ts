export { notifySystemd } from './notify.ts';
