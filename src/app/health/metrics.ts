/**
 * An agent's metrics. What an agent knows of itself is asked for when somebody reads them; only calls of plugins are counted as they come.
 */
import type { PluginAnswer, PluginCall } from '#io/cni/server/index.ts';
import { Counter, Gauge, Histogram, Registry } from '#io/prometheus/index.ts';
import { METRICS, type MetricName, type MetricRow } from './metrics-table.ts';

/** What an agent knows of itself at one moment. */
export interface AgentFigures {
  readonly ready: boolean;
  readonly problems: number;
  /** Absent where the agent has no store. */
  readonly storeConnected?: boolean;
  /** This node's; `expiresAtMs` may be infinite. */
  readonly leases: readonly {
    readonly family: 4 | 6;
    readonly subnet: string;
    readonly expiresAtMs: number;
  }[];
  readonly remoteLeases: number;
  readonly refusedLeases: number;
  readonly backend?: { readonly type: string; readonly link: string; readonly mtuBytes: number };
  readonly attachments: number;
  /** Sessions, where BGP is spoken. */
  readonly bgp?: readonly BgpFigures[];
  readonly kernel: {
    readonly ops: number;
    readonly passes: number;
    readonly failures: readonly string[];
    readonly conflicts: readonly string[];
    /** Absent before the first. */
    readonly lastPassMs?: number | undefined;
  };
}

interface BgpFigures {
  readonly key: string;
  readonly isUp: boolean;
  readonly phase: string;
  readonly flaps: number;
  readonly messages: Readonly<Record<'in' | 'out', Readonly<Record<string, number>>>>;
  readonly families: readonly {
    readonly family: 4 | 6;
    readonly learned: number;
    readonly refused: number;
    readonly told: number;
  }[];
}

export interface AgentMetricsSource {
  readonly version: string;
  /** Milliseconds since 1970, for the length of calls. */
  readonly now: () => number;
  readonly figures: () => AgentFigures;
}

type Handle = (call: PluginCall) => Promise<PluginAnswer>;
type Report = (name: MetricName, value: number, labels?: Readonly<Record<string, string>>) => void;

/** CNI 1.1 section 2: anything else that calls itself a command is one label. */
const COMMANDS: ReadonlySet<string> = new Set(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION']);
/** From an answer out of memory to the time a runtime waits. */
const BUCKETS_SEC = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface AgentMetrics {
  /** Prometheus' text format 0.0.4. */
  read(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** The same answers, counted. */
  counting(handle: Handle): Handle;
}

export function agentMetrics(source: AgentMetricsSource): AgentMetrics {
  const registry = new Registry();
  const options = (name: MetricName) => {
    const { help, labels = [] }: MetricRow = METRICS[name];
    return { name, help, labelNames: [...labels], registers: [registry] };
  };
  const durations = new Histogram({
    ...options('poplin_cni_call_duration_seconds'),
    buckets: BUCKETS_SEC,
  });
  const errors = new Counter(options('poplin_cni_errors_total'));
  const read = new Map<MetricName, Gauge | Counter>();
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { type }: MetricRow = METRICS[name];
    if (type === 'gauge') read.set(name, new Gauge(options(name)));
    else if (type === 'counter' && name !== 'poplin_cni_errors_total') {
      read.set(name, new Counter(options(name)));
    }
  }
  const report: Report = (name, value, labels = {}) => read.get(name)?.inc(labels, value);
  return {
    async read() {
      for (const [name, metric] of read) {
        metric.reset();
        // A metric without labels begins again at 0: absent is what is not known.
        const { labels }: MetricRow = METRICS[name];
        if (labels === undefined) metric.remove({});
      }
      reportAll(source, report);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    counting: (handle) => async (call) => {
      const beganMs = source.now();
      const answer = await handle(call);
      const given = call.environment['CNI_COMMAND'] ?? '';
      const command = COMMANDS.has(given) ? given : 'other';
      const result = answer.exitStatus === 0 ? 'ok' : 'error';
      durations.observe({ command, result }, Math.max(0, source.now() - beganMs) / 1000);
      if (result === 'error') errors.inc({ command, code: codeOf(answer) });
      return answer;
    },
  };
}

function reportAll(source: AgentMetricsSource, report: Report): void {
  const { version, figures } = source;
  const now = figures();
  const { kernel, backend, storeConnected } = now;
  report('poplin_build_info', 1, { version, node_version: process.versions.node });
  report('poplin_ready', Number(now.ready));
  report('poplin_problems', now.problems);
  if (storeConnected !== undefined) report('poplin_store_connected', Number(storeConnected));
  for (const { family, subnet, expiresAtMs } of now.leases) {
    report('poplin_lease_expiry_timestamp_seconds', expiresAtMs / 1000, { family: `ipv${family}`, subnet });
  }
  report('poplin_leases', now.remoteLeases);
  report('poplin_leases_refused', now.refusedLeases);
  if (backend !== undefined) {
    const { type, link, mtuBytes } = backend;
    report('poplin_backend_info', 1, { type, link, mtu: String(mtuBytes) });
  }
  report('poplin_attachments', now.attachments);
  for (const session of now.bgp ?? []) reportSession(session, report);
  report('poplin_kernel_operations_total', kernel.ops);
  report('poplin_kernel_passes_total', kernel.passes);
  report('poplin_kernel_failures', kernel.failures.length);
  report('poplin_kernel_conflicts', kernel.conflicts.length);
  if (kernel.lastPassMs !== undefined) {
    report('poplin_kernel_last_pass_duration_seconds', kernel.lastPassMs / 1000);
  }
  const { user, system } = process.cpuUsage();
  report('process_resident_memory_bytes', process.memoryUsage.rss());
  report('process_cpu_seconds_total', (user + system) / 1e6);
  report('process_start_time_seconds', Math.round(source.now() / 1000 - process.uptime()));
}

function reportSession(session: BgpFigures, report: Report): void {
  const { key: peer, isUp, phase: state, flaps, families, messages } = session;
  report('poplin_bgp_session_up', Number(isUp), { peer });
  report('poplin_bgp_session_state', 1, { peer, state });
  report('poplin_bgp_session_losses_total', flaps, { peer });
  for (const { family, ...counts } of families)
    for (const what of ['learned', 'refused', 'told'] as const)
      report('poplin_bgp_routes', counts[what], { peer, family: `ipv${family}`, what });
  for (const direction of ['in', 'out'] as const)
    for (const [type, count] of Object.entries(messages[direction]))
      report('poplin_bgp_messages_total', count, { peer, direction, type });
}

/** CNI 1.1 section 5: an error is an object with a code. */
function codeOf({ stdout }: PluginAnswer): string {
  try {
    const { code } = JSON.parse(stdout) as { code?: unknown };
    return Number.isInteger(code) ? String(code) : 'none';
  } catch {
    return 'none';
  }
}
