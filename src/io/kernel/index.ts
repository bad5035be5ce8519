export { PodKernel } from './pod-kernel.ts';
export { RealKernel } from './real-kernel.ts';
export { KernelSession } from './session.ts';
