export type { AgentFigures, AgentMetrics, AgentMetricsSource } from './metrics.ts';
export { metricTable } from './metrics-table.ts';
export { type Health, type HealthOptions, serveHealth } from './serve.ts';
