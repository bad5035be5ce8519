export { atomicWrite, ensureDir, readTextIfExists, removeIfExists } from './files.ts';
