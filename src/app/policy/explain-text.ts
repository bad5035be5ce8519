/** A verdict, drawn: what each end was asked, and what each tier said. */
import {
  type DirectionVerdict,
  type Flow,
  PROTOCOLS,
  refText,
  type Verdict,
  type VerdictStep,
} from '#core/policy/index.ts';

const NAMES: ReadonlyMap<number, string> = new Map([
  [PROTOCOLS.tcp, 'tcp'],
  [PROTOCOLS.udp, 'udp'],
  [PROTOCOLS.sctp, 'sctp'],
  [PROTOCOLS.icmp, 'icmp'],
  [PROTOCOLS.icmpv6, 'icmpv6'],
]);

const DEFAULTS = {
  'not-isolated': 'no policy decides: allowed',
  'own-node': 'its own node: always allowed, for the probes of the kubelet',
  itself: 'the pod itself: always allowed',
  failsafe: 'a port that stays open whatever policies say',
  'host-endpoint': 'no policy of the host endpoint allows it: denied',
  'no-endpoint': 'no pod of the cluster: nobody to ask, allowed',
} as const;

/** The flow and its verdict in a few lines; `source` and `destination` are the names by which they were asked for. */
export function describeVerdict(source: string, destination: string, flow: Flow, verdict: Verdict): string {
  const protocol = NAMES.get(flow.protocol) ?? `protocol ${flow.protocol}`;
  const what = flow.destinationPort === undefined ? protocol : `${protocol} ${flow.destinationPort}`;
  const lines = [
    `${verdict.action === 'allow' ? 'ALLOWED' : 'DENIED'}  ${source} (${flow.source}) ──${what}──▶ ${destination} (${flow.destination})`,
    ...directionLines(`egress of ${source}`, verdict.egress),
    ...(verdict.forward ?? []).flatMap((each) =>
      directionLines(`forwarded at ${each.endpoint ?? 'its node'}`, each),
    ),
    ...directionLines(`ingress of ${destination}`, verdict.ingress),
  ];
  return `${lines.join('\n')}\n`;
}

function directionLines(title: string, { action, steps }: DirectionVerdict): string[] {
  return [
    `  ${action === 'allow' ? '✓' : '✗'} ${title}`,
    ...steps.map((step, index) => `    ${index === steps.length - 1 ? '└' : '├'} ${stepText(step)}`),
  ];
}

function stepText(step: VerdictStep): string {
  switch (step.by) {
    case 'rule': {
      const name = step.rule.name === undefined ? '' : ` "${step.rule.name}"`;
      return `tier ${step.tier}: ${refText(step.policy)} ${step.rule.path}${name}: ${step.action}`;
    }
    case 'tier-default':
      return `tier ${step.tier}: no rule of ${step.policies.map(refText).join(', ')} matches: ${step.action}`;
    case 'default':
      return DEFAULTS[step.reason];
  }
}
