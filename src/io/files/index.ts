export { DirectoryLockedError, type DirectoryLockOptions, withDirectoryLock } from './directory-lock.ts';
export { atomicWrite, ensureDir, readIfExists, readTextIfExists, removeIfExists } from './files.ts';
