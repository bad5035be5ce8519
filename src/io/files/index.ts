export { atomicWrite, ensureDir, readRegularFile, readTextIfExists, removeIfExists } from './files.ts';
export { SocketFile } from './socket-file.ts';
