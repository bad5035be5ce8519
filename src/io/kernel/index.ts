export { bridgeMode } from './bridge-mode.ts';
export { PodKernel } from './pod-kernel.ts';
export { RealKernel, type RealKernelOptions } from './real-kernel.ts';
export { KernelSession } from './session.ts';
