export { FakeEtcd } from './fake-etcd.ts';
