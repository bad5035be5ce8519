export {
  atomicCreate,
  atomicWrite,
  ensureDir,
  hasCode,
  readRegularFile,
  readTextIfExists,
  removeIfExists,
} from './files.ts';
export { SocketFile } from './socket-file.ts';
