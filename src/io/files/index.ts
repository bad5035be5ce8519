export { atomicWrite, ensureDir, readTextIfExists, removeIfExists } from './files.ts';
export { SocketFile } from './socket-file.ts';
