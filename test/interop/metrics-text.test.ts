/** /metrics, read by Prometheus' own client library for Python. */
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { serveHealth } from '#app/health/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { HealthServer } from '#io/http-health/index.ts';

const READER = `
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
  for sample in family.samples:
    print(family.type, sample.name, sorted(sample.labels.items()), sample.value)
`;

/** A port that is free now. */
async function freePort(): Promise<number> {
  const pages = { notReady: () => undefined, metrics: async () => ({ contentType: '', text: '' }) };
  await using server = await HealthServer.listen('127.0.0.1', 0, pages);
  return server.port;
}

test('what an agent says is what Prometheus reads, odd labels included', async () => {
  const port = await freePort();
  const link = 'od"d\\link\n';
  await using health = await serveHealth({
    host: '127.0.0.1',
    port,
    notReady: () => undefined,
    source: {
      version: '1.2.3',
      now: () => Date.now(),
      figures: () => ({
        ready: true,
        problems: 0,
        storeConnected: true,
        leases: [{ family: 6, subnet: 'fd44::/64', expiresAtMs: Number.POSITIVE_INFINITY }],
        remoteLeases: 3,
        refusedLeases: 0,
        backend: { type: 'vxlan', link, mtuBytes: 1430 },
        attachments: 1,
        kernel: { ops: 5, passes: 2, failures: [], conflicts: [], lastPassMs: 1 },
      }),
    },
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
  const handle = health.metrics.counting(async () => ({ exitStatus: 1, stdout: '{"code":7}', stderr: '' }));
  await handle({ plugin: 'bridge', environment: { CNI_COMMAND: 'ADD' }, stdin: '' });
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const seen = execFileSync('/usr/bin/python3', ['-c', READER], {
    encoding: 'utf8',
    input: await response.text(),
  });
  expect(seen).toContain('gauge poplin_ready [] 1.0\n');
  expect(seen).toContain('counter poplin_kernel_operations_total [] 5.0\n');
  expect(seen).toContain("[('family', 'ipv6'), ('subnet', 'fd44::/64')] inf\n");
  expect(seen).toContain(`('link', 'od"d\\\\link\\n'), ('mtu', '1430')`);
  expect(seen).toMatch(/histogram poplin_cni_call_duration_seconds_count .*'ADD'.*'error'.* 1\.0\n/);
  expect(seen).toMatch(/gauge process_resident_memory_bytes \[\] \d{8,}/);
});
