export { compareSnapshots, type HostSnapshot, takeSnapshot } from './snapshot.ts';
