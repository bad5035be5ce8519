export { parseStaticConfig, type StaticConfig } from './static.ts';
