/** What the lab's commands print with --json: stable shapes, documented in docs/lab.md. */
import { familyOf } from '#base/ip/index.ts';
import {
  type Expectation,
  isDenied,
  netConfOf,
  type PodNetwork,
  type ProbeOutcome,
  passed,
  type Reachability,
  summarise,
} from '#core/lab/index.ts';
import type { LabMember, LabState } from './supervisor.ts';

/** An address, or a prefix, in each family; null where there is none. */
interface Families {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

export interface StatusReport {
  readonly name: string;
  readonly since: string;
  /** All agents are. */
  readonly ready: boolean;
  /** The lab lives in a user namespace. */
  readonly rootless: boolean;
  readonly supervisorPid: number;
  readonly kubeconfig: string;
  readonly network: Families & { readonly backend: string };
  readonly subnets: readonly (Families & { readonly name: string })[];
  readonly nodes: readonly NodeReport[];
  readonly pods: readonly PodReport[];
}

interface NodeReport extends Families {
  readonly name: string;
  readonly subnet: string;
  readonly netns: string;
  readonly podSubnets: Families;
  readonly agent: AgentReport | null;
}

interface AgentReport {
  readonly ready: boolean;
  readonly pid: number;
  readonly memoryMb: number;
  readonly problems: readonly string[];
}

interface PodReport extends Families {
  readonly name: string;
  readonly node: string;
  readonly network: PodNetwork;
  readonly netns: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MatrixReport extends Reachability {
  /** Probes that policies deny. */
  readonly denied: number;
  readonly pairs: readonly PairReport[];
}

interface PairReport {
  readonly from: string;
  readonly to: string;
  readonly family: 4 | 6;
  readonly address: string;
  readonly passed: boolean;
  readonly expected: Expectation;
  /** The source address the target saw. */
  readonly seen: string | null;
  readonly roundTripUs: number | null;
  /** Why no answer came. */
  readonly reason: string | null;
}

export function reportStatus(state: LabState): StatusReport {
  const { topology, agents, members } = state;
  const { ipv4, ipv6, backend } = netConfOf(topology);
  const memberOf = (name: string) => members.find((member) => member.name === name) as LabMember;
  return {
    name: topology.name,
    since: state.since,
    ready: agents.every(({ status }) => status?.ready),
    rootless: state.rootless,
    supervisorPid: state.pid,
    kubeconfig: state.kubeconfig,
    network: { backend: backend.type, ipv4: ipv4?.network ?? null, ipv6: ipv6?.network ?? null },
    subnets: topology.subnets.map((subnet) => ({ name: subnet.name, ...bothFamilies(subnet) })),
    nodes: topology.nodes.map((node) => {
      const status = agents.find((agent) => agent.node === node.name)?.status ?? null;
      return {
        name: node.name,
        subnet: node.subnet,
        ...bothFamilies(node),
        netns: memberOf(node.name).netns,
        podSubnets: { ipv4: status?.lease.ipv4 ?? null, ipv6: status?.lease.ipv6 ?? null },
        agent: status && {
          ready: status.ready,
          pid: status.pid,
          memoryMb: status.memoryMb,
          problems: status.problems,
        },
      };
    }),
    pods: topology.pods.map((pod) => {
      const { addresses, netns } = memberOf(pod.name);
      const ofFamily = (family: 4 | 6) => addresses.find((address) => familyOf(address) === family) ?? null;
      return {
        name: pod.name,
        node: pod.node,
        network: pod.network,
        ipv4: ofFamily(4),
        ipv6: ofFamily(6),
        netns,
        namespace: pod.namespace,
        labels: pod.labels,
      };
    }),
  };
}

export function reportMatrix(outcomes: readonly ProbeOutcome[]): MatrixReport {
  return {
    ...summarise(outcomes),
    denied: outcomes.filter(isDenied).length,
    pairs: outcomes.map((outcome) => ({
      from: outcome.probe.source.name,
      to: outcome.probe.target.name,
      family: outcome.probe.family,
      address: outcome.probe.address,
      passed: passed(outcome),
      expected: outcome.probe.expected ?? 'reached',
      seen: outcome.seen ?? null,
      roundTripUs: outcome.roundTripUs ?? null,
      reason: outcome.reason ?? null,
    })),
  };
}

function bothFamilies({ ipv4, ipv6 }: { readonly ipv4?: string; readonly ipv6?: string }): Families {
  return { ipv4: ipv4 ?? null, ipv6: ipv6 ?? null };
}
