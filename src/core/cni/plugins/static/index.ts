export { checkStatic, parseStaticConfig, type StaticConfig } from './static.ts';
