export {
  atomicCreate,
  atomicWrite,
  ensureDir,
  hasCode,
  readRegularFile,
  readTextIfExists,
  removeIfExists,
} from './files.ts';
export { onlyForOwnUser, peerUser } from './peer-user.ts';
export { SocketFile } from './socket-file.ts';
