/**
 * Test files that want the machine for themselves, each with what it measures: how long something takes, how much gets through, how
 * little is lost. All others run side by side.
 */
export const ALONE: Readonly<Record<string, string>> = {
  'test/kernel/cni-bandwidth.test.ts': 'what gets through in a second, with a limit and without',
  'test/kernel/cni-latency.test.ts': 'how long the calls of a runtime take',
  'test/kernel/flow-cutter.test.ts':
    'that a flow falls silent within a second, and the event loop never waits',
  'test/kernel/take-over.test.ts': 'that of a packet in 5 ms no more than three are lost',
  'test/kernel/tunnel.test.ts': 'that of 50 Mbit/s no datagram in a hundred is lost',
  'test/kernel/tunnel-process.test.ts': 'that a process is started again within a second',
  'test/e2e/agent-move.test.ts': 'that a subnet is found elsewhere within a second',
  'test/e2e/agent-repair.test.ts': 'that what is damaged is mended within a second',
  'test/e2e/agent-restart.test.ts': 'that no number of a stream is later than 200 ms',
  'test/e2e/bgp-leaves.test.ts': 'how long a cut goes unnoticed, and that a restart loses no packet',
  'test/e2e/bgp-unnumbered.test.ts': 'that a restart loses no packet',
  'test/e2e/policy.test.ts': 'that a flow falls silent within a second',
};
