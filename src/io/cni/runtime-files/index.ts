export { cacheFolder, configFiles } from './runtime-files.ts';
