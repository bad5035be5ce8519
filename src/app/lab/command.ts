/** `poplin lab`: a cluster out of network namespaces on one machine. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { requireConfig } from '#core/config/index.ts';
import {
  demoTopology,
  drawLab,
  drawMatrix,
  type ProbeOutcome,
  parseTopology,
  passed,
  summarise,
  type Topology,
} from '#core/lab/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import type { ProbedEndpoint } from '#io/probe/index.ts';
import { programArgs } from './agents.ts';
import { callControl } from './control.ts';
import { demo } from './demo.ts';
import { FABRIC, isRealRoot, LabDir, listLabs } from './lab-dir.ts';
import { LabError, launchLab, takeDown } from './launch.ts';
import { supervise } from './supervise.ts';
import type { LabState } from './supervisor.ts';
import { enterCommand } from './user-namespace.ts';

export function labCommand(): Command {
  const lab = new Command('lab')
    .enablePositionalOptions()
    .description('Build a cluster out of network namespaces on this machine, and look into it.');
  lab
    .command('up')
    .description('Build a lab and leave it running.')
    .argument('[topology]', 'YAML file (docs/lab.md); without one, the lab of the demonstration')
    .addHelpText('after', '\nExamples:\n  poplin lab up\n  poplin lab up lab/topologies/two-racks.yaml')
    .action(async (file: string | undefined) => {
      const topology = readTopology(file);
      await launchLab(topology, (step) => process.stderr.write(`  ${step}\n`));
      await printState(topology.name, false);
      process.stdout.write(`\nNext:  poplin lab matrix    poplin lab exec POD -- CMD    poplin lab down\n`);
    });
  lab
    .command('status')
    .description('Show a lab: nodes, pods, addresses, agents.')
    .argument('[name]', 'the lab; needed if several are up')
    .option('--json', 'one JSON object')
    .action((name: string | undefined, flags: { json?: boolean }) =>
      printState(pick(name), flags.json ?? false),
    );
  lab
    .command('matrix')
    .description('Probe every pair with real packets, both families, and print who reaches whom.')
    .argument('[name]', 'the lab; needed if several are up')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExit status: 0 if every pair reaches each other untranslated, else 1.')
    .action((name: string | undefined, flags: { json?: boolean }) =>
      printMatrix(pick(name), flags.json ?? false),
    );
  lab
    .command('exec')
    .description(
      'Run a command in the network namespace of a node or pod (or of "fabric", the switch and router).',
    )
    .argument('<member>', 'node or pod')
    .argument('<command...>', 'command and arguments, after --')
    .option('--lab <name>', 'the lab; needed if several are up')
    .addHelpText(
      'after',
      '\nExamples:\n  poplin lab exec pod1 -- ping -c1 10.10.1.2\n  poplin lab exec node1 -- ip route',
    )
    .passThroughOptions()
    .action((member: string, command: string[], flags: { lab?: string }) =>
      execIn(pick(flags.lab), member, command),
    );
  lab
    .command('down')
    .description('Remove a lab: processes, namespaces, files.')
    .argument('[name]', 'the lab; needed if several are up')
    .action(async (name: string | undefined) => {
      const chosen = pick(name);
      if (!(await takeDown(chosen))) throw new LabError(`there is no lab "${chosen}"`);
      process.stdout.write(`lab "${chosen}" is gone\n`);
    });
  lab
    .command('demo')
    .description('Build the demonstration, prove that everybody reaches everybody, and clean up.')
    .option('--once', 'end after the proof instead of staying up')
    .option('--json', 'end with one JSON line')
    .action((flags: { once?: boolean; json?: boolean }) =>
      demo({ once: flags.once ?? false, json: flags.json ?? false }),
    );
  lab
    .command('supervise', { hidden: true })
    .argument('<name>')
    .action((name: string) => supervise(name));
  return lab;
}

function readTopology(file: string | undefined): Topology {
  if (file === undefined) return demoTopology();
  if (!existsSync(file)) throw new LabError(`no topology file "${file}": see lab/topologies for examples`);
  return requireConfig(parseTopology(readFileSync(file, 'utf8'), file));
}

/** The lab of that name, or the only one. */
function pick(name: string | undefined): string {
  if (name !== undefined) return name;
  const labs = listLabs();
  const [only] = labs;
  if (only === undefined) throw new LabError('no lab is up: build one with "poplin lab up"');
  if (labs.length > 1) throw new LabError(`several labs are up: name one of ${labs.join(', ')}`);
  return only;
}

async function ask<T>(name: string, method: 'GET' | 'POST', route: string): Promise<T> {
  try {
    return await callControl<T>(new LabDir(name).file('control.sock'), method, route);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    throw new LabError(
      `lab "${name}" does not answer: "poplin lab down ${name}" removes what is left of it`,
      { cause: error },
    );
  }
}

async function printState(name: string, json: boolean): Promise<void> {
  const state = await ask<LabState>(name, 'GET', '/state');
  process.stdout.write(json ? `${JSON.stringify(state)}\n` : `${describeLab(state)}\n`);
}

/** The drawn topology with what each agent says. */
export function describeLab(state: LabState): string {
  const leases = new Map(
    state.agents.map(({ node, status }) => [
      node,
      [status?.lease.ipv4, status?.lease.ipv6].filter((subnet) => typeof subnet === 'string'),
    ]),
  );
  const podAddresses = new Map(
    state.members.filter(({ kind }) => kind === 'pod').map(({ name, addresses }) => [name, addresses]),
  );
  const unwell = state.agents.filter(({ status }) => !status?.ready).map(({ node }) => node);
  return [
    drawLab({ topology: state.topology, leases, podAddresses }),
    '',
    unwell.length === 0 ? 'all agents are ready' : `not ready: ${unwell.join(', ')}`,
    `kubeconfig  ${state.kubeconfig}`,
  ].join('\n');
}

async function printMatrix(name: string, json: boolean): Promise<void> {
  const { endpoints, outcomes } = await probeLab(name);
  const summary = summarise(outcomes);
  const failures = outcomes.filter((outcome) => !passed(outcome));
  if (json) {
    const pairs = outcomes.map(({ probe, seen, roundTripUs, reason }) => ({
      from: probe.source.name,
      to: probe.target.name,
      address: probe.address,
      passed: passed({ probe, ...(seen !== undefined && { seen }) }),
      seen: seen ?? null,
      roundTripUs: roundTripUs ?? null,
      reason: reason ?? null,
    }));
    process.stdout.write(`${JSON.stringify({ ...summary, pairs })}\n`);
  } else {
    process.stdout.write(`${drawMatrix(endpoints, outcomes)}\n\n`);
    for (const failure of failures) process.stdout.write(`${describeFailure(failure)}\n`);
    process.stdout.write(failures.length === 0 ? 'everybody reaches everybody, nobody is translated\n' : '');
  }
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** Outcomes that refer to the endpoints by identity, as they did before they were sent. */
export async function probeLab(
  name: string,
): Promise<{ endpoints: ProbedEndpoint[]; outcomes: ProbeOutcome[] }> {
  const { endpoints, outcomes } = await ask<{ endpoints: ProbedEndpoint[]; outcomes: ProbeOutcome[] }>(
    name,
    'POST',
    '/probe',
  );
  const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const known = (endpoint: { name: string }) => byName.get(endpoint.name) as ProbedEndpoint;
  return {
    endpoints,
    outcomes: outcomes.map((outcome) => {
      const { source, target, family, address } = outcome.probe;
      return { ...outcome, probe: { source: known(source), target: known(target), family, address } };
    }),
  };
}

function describeFailure({ probe, seen, reason }: ProbeOutcome): string {
  const pair = `${probe.source.name} → ${probe.target.name} (${probe.address})`;
  return seen === undefined
    ? `${pair}: ${reason}`
    : `${pair}: was seen as ${seen}, which is not its own address`;
}

function execIn(name: string, member: string, command: readonly string[]): Promise<void> {
  const dir = new LabDir(name);
  if (!dir.exists) throw new LabError(`there is no lab "${name}"`);
  const record = dir.record();
  const child =
    record.rootless && process.env['POPLIN_LAB_OWNER'] === undefined
      ? enterAgain(record.supervisorPid)
      : startInside();
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'ENOENT' ? new LabError(`no command "${command[0]}" on this machine`) : error);
    });
    child.once('exit', (code, signal) => {
      process.exitCode = code ?? (signal === null ? 1 : 130);
      resolve();
    });
  });

  function startInside() {
    const path = member === 'fabric' ? dir.namespace(FABRIC) : dir.namespace(member);
    const [program, ...args] = command as [string, ...string[]];
    const supervisor = `/proc/${record.supervisorPid}/ns/net`;
    using namespace = openMember(member === 'fabric' && !isRealRoot() ? supervisor : path, name, member);
    return spawnIn(namespace, program, args, { stdio: 'inherit' });
  }

  function enterAgain(pid: number) {
    const [program, ...args] = [
      ...enterCommand(pid),
      process.execPath,
      ...programArgs(),
      'lab',
      'exec',
      '--lab',
      name,
      member,
      '--',
      ...command,
    ];
    const env = { ...process.env, POPLIN_LAB_OWNER: String(process.geteuid?.()) };
    return spawn(program as string, args, { stdio: 'inherit', env });
  }
}

function openMember(path: string, lab: string, member: string) {
  try {
    return openNamespace(path);
  } catch (error) {
    throw new LabError(`lab "${lab}" has no node or pod "${member}": see "poplin lab status"`, {
      cause: error,
    });
  }
}
