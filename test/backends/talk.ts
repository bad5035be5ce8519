/** Commands in namespaces: ping and iperf3 from pod to pod. */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { until } from '../e2e/agent-world.ts';
import { IS_VIRTUAL } from '../kernel/virtual.ts';

/** On an emulated processor WireGuard takes a second for a few megabytes. */
const STREAM_BYTES = (IS_VIRTUAL ? 1 : 8) << 20;

/** How long an answer may take. */
const ANSWER_SEC = IS_VIRTUAL ? 4 : 1;

/** What a command prints that runs inside a namespace file; rejects with what it said if it fails. */
export async function runIn(netns: string, command: string, ...args: string[]): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const { stdout } = await promisify(execFile)('nsenter', [`--net=${netns}`, command, ...args], { env });
  return stdout;
}

/** Those of the addresses that do not answer an echo request in time. */
export async function silent(
  netns: string,
  addresses: readonly string[],
  ...more: string[]
): Promise<string[]> {
  const probes = addresses.map((address) =>
    runIn(netns, 'ping', '-nc1', `-W${ANSWER_SEC}`, ...more, address).then(
      () => [],
      () => [address],
    ),
  );
  return (await Promise.all(probes)).flat();
}

/** Bytes that iperf3 says it sent to its server in another namespace, of those it was told to. */
export async function iperf3(
  from: string,
  to: string,
  address: string,
): Promise<{ readonly sent: number; readonly wanted: number }> {
  const server = spawn('nsenter', [`--net=${to}`, 'iperf3', '-s', '-1', '--forceflush'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  server.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await until('iperf3 listens', () => said.includes('listening'));
    const report = JSON.parse(
      await runIn(from, 'iperf3', '-c', address, '-n', String(STREAM_BYTES), '-J'),
    ) as {
      end: { sum_sent: { bytes: number } };
    };
    return { sent: report.end.sum_sent.bytes, wanted: STREAM_BYTES };
  } finally {
    server.kill('SIGKILL');
  }
}
