/** The contract of Kernel for tunnels on the running kernel, which has IP in IP and WireGuard. */
import { tunnelContract } from '#testing/tunnel-contract.ts';
import { realKernelUnderTest } from '../kernel/kernel-under-test.ts';

tunnelContract('RealKernel', realKernelUnderTest, [1, 2, 5]);
