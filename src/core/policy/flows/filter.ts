/** Which lines somebody wants to see. All that is given must hold. */
import type { Protocol } from '../model.ts';
import type { FlowLine, LineEnd } from './flow-line.ts';

export interface LineFilter {
  /** `shop/web`, or a name in any namespace; of either end. */
  readonly pod?: string;
  /** Of a pod at either end. */
  readonly namespace?: string;
  readonly verdict?: 'allow' | 'deny';
  /** Of the destination. */
  readonly port?: number;
  readonly protocols?: readonly Protocol[];
}

/** What lines of all kinds have. */
type Filtered = Pick<FlowLine, 'source' | 'destination' | 'protocol'> & {
  readonly verdict?: FlowLine['verdict'];
};

export function isWanted(line: Filtered, filter: LineFilter): boolean {
  const { pod, namespace, verdict, port, protocols } = filter;
  const ends = [line.source, line.destination];
  return (
    (verdict === undefined || verdict === line.verdict) &&
    (port === undefined || port === line.destination.port) &&
    (protocols === undefined || protocols.includes(line.protocol)) &&
    (namespace === undefined || ends.some((end) => end.kind === 'pod' && end.namespace === namespace)) &&
    (pod === undefined || ends.some((end) => isPod(end, pod)))
  );
}

function isPod({ kind, name, namespace }: LineEnd, wanted: string): boolean {
  return kind === 'pod' && (name === wanted || name === `${namespace}/${wanted}`);
}
