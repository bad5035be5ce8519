export { FakeKernel } from './fake-kernel.ts';
