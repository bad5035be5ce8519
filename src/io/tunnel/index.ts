export {
  type CountersByFamily,
  endTunnel,
  TunnelConnection,
  type TunnelCounters,
} from './connection.ts';
export { configurationOf, isOfThisRelease, startTunnel, type TunnelEnd, tunnelProgram } from './program.ts';
