export { PROBE_PORT, type ProbedEndpoint, Prober } from './prober.ts';
export { udpSocketIn } from './socket.ts';
