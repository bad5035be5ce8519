/** The metrics of an agent, one row each: /metrics and docs/flanneld.md come from here. */

export interface MetricRow {
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly labels?: readonly string[];
  readonly help: string;
}

export const METRICS = {
  poplin_build_info: {
    type: 'gauge',
    labels: ['version', 'node_version'],
    help: 'Always 1; the versions of Poplin and of Node.js are in the labels.',
  },
  poplin_ready: { type: 'gauge', help: '1 while pods can be attached and reached, as /readyz says.' },
  poplin_problems: { type: 'gauge', help: 'Problems that poplin status names.' },
  poplin_store_connected: {
    type: 'gauge',
    help: '1 while the place where leases are kept answers; absent where there is none.',
  },
  poplin_lease_expiry_timestamp_seconds: {
    type: 'gauge',
    labels: ['family', 'subnet'],
    help: 'Unix time at which the lease of this node ends unless renewed; +Inf for one that never does.',
  },
  poplin_leases: { type: 'gauge', help: 'Leases of other nodes that are known and carried.' },
  poplin_leases_refused: { type: 'gauge', help: 'Leases of other nodes that cannot be used.' },
  poplin_backend_info: {
    type: 'gauge',
    labels: ['type', 'link', 'mtu'],
    help: 'Always 1; what carries packets to other nodes, by which link of the underlay, with which MTU for pods.',
  },
  poplin_attachments: { type: 'gauge', help: 'Interfaces of pods, and chained plugins, that are kept.' },
  poplin_bgp_session_up: { type: 'gauge', labels: ['peer'], help: '1 while the BGP session is established.' },
  poplin_bgp_session_state: {
    type: 'gauge',
    labels: ['peer', 'state'],
    help: '1 for the state a BGP session is in: idle, connect, active, open-sent, open-confirm, established or shut down.',
  },
  poplin_bgp_session_losses_total: {
    type: 'counter',
    labels: ['peer'],
    help: 'How often an established BGP session has ended, since the agent began.',
  },
  poplin_bgp_routes: {
    type: 'gauge',
    labels: ['peer', 'family', 'what'],
    help: 'Routes of a BGP session: learned, refused (of those that were learned), told.',
  },
  poplin_bgp_messages_total: {
    type: 'counter',
    labels: ['peer', 'direction', 'type'],
    help: 'Messages of a BGP session, in or out: open, update, notification, keepalive, refresh.',
  },
  poplin_kernel_operations_total: { type: 'counter', help: 'Changes sent to the kernel.' },
  poplin_kernel_passes_total: { type: 'counter', help: 'Comparisons of what is wanted with what is there.' },
  poplin_kernel_failures: { type: 'gauge', help: 'Objects that the kernel refuses now.' },
  poplin_kernel_conflicts: { type: 'gauge', help: 'Foreign objects that stand where ours should.' },
  poplin_kernel_last_pass_duration_seconds: {
    type: 'gauge',
    help: 'How long the last comparison took, with its changes.',
  },
  poplin_cni_call_duration_seconds: {
    type: 'histogram',
    labels: ['command', 'result'],
    help: 'Calls of the CNI plugins from request to answer; result is ok or error.',
  },
  poplin_cni_errors_total: {
    type: 'counter',
    labels: ['command', 'code'],
    help: 'CNI calls that failed, by the error code of the CNI specification.',
  },
  process_resident_memory_bytes: { type: 'gauge', help: 'Memory of the agent.' },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time of the agent.' },
  process_start_time_seconds: { type: 'gauge', help: 'Unix time at which the agent began.' },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof METRICS;

/** Rows of a Markdown table. */
export function metricTable(): string {
  const rows = Object.entries(METRICS).map(([name, row]: [string, MetricRow]) => {
    const labels = (row.labels ?? []).map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${row.type} | ${labels} | ${row.help} |\n`;
  });
  return `| metric | type | labels | meaning |\n|---|---|---|---|\n${rows.join('')}`;
}
