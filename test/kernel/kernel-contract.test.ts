/** The contract of Kernel on the running kernel. */
import { kernelContract } from '#testing/kernel-contract.ts';
import { realKernelUnderTest } from './kernel-under-test.ts';

kernelContract('RealKernel', realKernelUnderTest);
