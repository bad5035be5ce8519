/**
 * The part of prom-client that Poplin uses. Its own entry loads a push gateway, a cluster of processes and default metrics too, with the
 * modules of Node these need: 19 MB, of which this is 3.
 */
export { default as Counter } from 'prom-client/lib/counter.js';
export { default as Gauge } from 'prom-client/lib/gauge.js';
export { default as Histogram } from 'prom-client/lib/histogram.js';
export { default as Registry } from 'prom-client/lib/registry.js';
