/** What people see of a lab: its drawing, its state, and who reaches whom. */
import { describeFailures, drawLab, drawMatrix, type ProbeOutcome } from '#core/lab/index.ts';
import type { ProbedEndpoint } from '#io/probe/index.ts';
import { programName } from './caller.ts';
import { callControl } from './control.ts';
import { LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import { isRunning } from './processes.ts';
import type { LabState } from './supervisor.ts';

/** The width that output is fitted to where there is no terminal. */
const COLUMNS = 120;
/** More lines than these say nothing new. */
const MOST_FAILURES = 20;

export interface ProbedLab {
  readonly endpoints: readonly ProbedEndpoint[];
  readonly outcomes: readonly ProbeOutcome[];
}

export function labState(name: string): Promise<LabState> {
  return ask<LabState>(name, 'GET', '/state');
}

/** Probes every pair with real packets. */
export function probeLab(name: string): Promise<ProbedLab> {
  return ask<ProbedLab>(name, 'POST', '/probe');
}

/** The drawn topology with what each agent says. */
export function describeLab(state: LabState): string {
  const { topology, agents, members } = state;
  const leases = agents.map(
    ({ node, status }) =>
      [
        node,
        [status?.lease.ipv4, status?.lease.ipv6].filter((subnet) => typeof subnet === 'string'),
      ] as const,
  );
  const notes = agents.flatMap(({ node, status }) => {
    if (status?.ready) return [];
    const why = status === null ? 'it does not answer' : (status.problems[0] ?? 'it is not ready');
    return [[node, `AGENT: ${why}`] as const];
  });
  const pods = members.filter(({ kind }) => kind === 'pod');
  return [
    drawLab({
      topology,
      leases: new Map(leases),
      podAddresses: new Map(pods.map(({ name, addresses }) => [name, addresses])),
      notes: new Map(notes),
    }),
    notes.length === 0
      ? `${agents.length} of ${agents.length} agents ready`
      : `${agents.length - notes.length} of ${agents.length} agents ready`,
  ].join('\n');
}

/** The matrix, and why what failed in it did. */
export function describeMatrix({ endpoints, outcomes }: ProbedLab): string {
  const maxColumns = process.stdout.columns ?? COLUMNS;
  const failures = describeFailures(outcomes);
  const rest = failures.length - MOST_FAILURES;
  return [
    drawMatrix(endpoints, outcomes, { maxColumns }),
    ...(failures.length > 0 ? [''] : []),
    ...failures.slice(0, MOST_FAILURES),
    ...(rest > 0 ? [`… and ${rest} more: "${programName()} lab matrix --json" tells all of them`] : []),
  ].join('\n');
}

async function ask<T>(name: string, method: 'GET' | 'POST', route: string): Promise<T> {
  const dir = new LabDir(name);
  if (!dir.exists) throw new LabError(`there is no lab "${name}"`);
  try {
    return await callControl<T>(dir.controlSocket, method, route);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    const supervisor = dir.record()?.supervisor;
    throw new LabError(
      supervisor !== undefined && isRunning(supervisor)
        ? `lab "${name}" is not up yet: ask again in a moment`
        : `lab "${name}" has lost its supervisor: "${programName()} lab down ${name}" removes what is left of it`,
      { cause: error },
    );
  }
}
