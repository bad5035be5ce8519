/** `poplin lab`: a cluster out of network namespaces on one machine. */
import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { formatProblem, requireConfig } from '#core/config/index.ts';
import { demoTopology, isDenied, parseTopology, passed, type Topology } from '#core/lab/index.ts';
import { withBgp } from './bgp.ts';
import { programName } from './caller.ts';
import { demo } from './demo.ts';
import { execIn } from './exec.ts';
import { Interrupt } from './interrupt.ts';
import { LabDir, listLabs } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import { LaunchInterrupted, launchLab, takeDown } from './launch.ts';
import { withPolicies } from './policies.ts';
import { Progress } from './progress.ts';
import { reportMatrix, reportStatus } from './report.ts';
import { describeLab, describeMatrix, labState, probeLab } from './show.ts';
import { supervise } from './supervise.ts';

const WHICH = 'the lab; needed if several are up';

export function labCommand(): Command {
  return new Command('lab')
    .enablePositionalOptions()
    .description('Build a cluster out of network namespaces on this machine, and look into it.')
    .addCommand(demoCommand())
    .addCommand(upCommand())
    .addCommand(statusCommand())
    .addCommand(matrixCommand())
    .addCommand(execCommand())
    .addCommand(downCommand())
    .addCommand(superviseCommand(), { hidden: true })
    .addHelpText('after', '\nStart with "poplin lab demo"; docs/lab.md tells all of it.');
}

function demoCommand(): Command {
  const command = new Command('demo')
    .description('Build the demonstration, prove that everybody reaches everybody, and clean up.')
    .option('--once', 'end after the proof instead of staying up')
    .option('--json', 'end with one JSON line on standard output; all else goes to standard error')
    .addHelpText(
      'after',
      `
Examples:
  poplin lab demo
  poplin lab demo --once --json

Exit status: 0 if every pair reached each other untranslated and the host is as it was; 1 if not, or if the lab cannot
be built here; 128 and the signal's number (130 for Ctrl-C) if it was interrupted before the proof.`,
    )
    .action((flags: { once?: boolean; json?: boolean; name: string }) =>
      demo({ once: flags.once ?? false, json: flags.json ?? false, name: flags.name }),
    );
  return command.addOption(
    command.createOption('--name <name>', 'the name of the lab').default('demo').hideHelp(),
  );
}

function upCommand(): Command {
  return new Command('up')
    .description('Build a lab and leave it running.')
    .argument('[topology]', 'YAML file (docs/lab.md); without one, the topology of the demonstration')
    .addHelpText(
      'after',
      `
Examples:
  poplin lab up
  poplin lab up lab/topologies/two-racks.yaml

Exit status: 0 if the lab is up; 1 if it cannot be built, and then nothing is left of it; 130 after Ctrl-C, likewise.`,
    )
    .action(up);
}

function statusCommand(): Command {
  return new Command('status')
    .description('Show a lab: nodes, pods, addresses, agents.')
    .argument('[name]', WHICH)
    .option('--json', 'one JSON object (docs/lab.md)')
    .addHelpText(
      'after',
      `
Examples:
  poplin lab status
  poplin lab status demo --json

Exit status: 0 if all agents are ready, else 1.`,
    )
    .action(async (name: string | undefined, flags: { json?: boolean }) => {
      const state = await labState(pick(name));
      const report = reportStatus(state);
      process.stdout.write(
        flags.json ? `${JSON.stringify(report)}\n` : `${describeLab(state)}\n${describeApi(report.name)}\n`,
      );
      process.exitCode = report.ready ? 0 : 1;
    });
}

function matrixCommand(): Command {
  return new Command('matrix')
    .description('Probe every pair with real packets, in each family, and print who reaches whom.')
    .argument('[name]', WHICH)
    .option('--json', 'one JSON object (docs/lab.md)')
    .addHelpText(
      'after',
      `
Examples:
  poplin lab matrix
  poplin lab matrix --json

✓ reached, ✗ not, 4 or 6 in that family alone, · not asked (nodes among themselves); ○ not, as policies say, ! reached though they deny it.
Exit status: 0 if every pair that policies do not deny reaches each other, no other does, and every target saw the source's own address, else 1.`,
    )
    .action(async (name: string | undefined, flags: { json?: boolean }) => {
      const probed = await probeLab(pick(name));
      const isGood = probed.outcomes.every(passed);
      const who = probed.outcomes.some(isDenied) ? 'those whom policies allow, and nobody else' : 'everybody';
      const said = isGood ? `\n\neverybody reaches ${who}; nobody is translated` : '';
      process.stdout.write(
        flags.json
          ? `${JSON.stringify(reportMatrix(probed.outcomes))}\n`
          : `${describeMatrix(probed)}${said}\n`,
      );
      process.exitCode = isGood ? 0 : 1;
    });
}

function execCommand(): Command {
  return new Command('exec')
    .description(
      'Run a command in the network namespace of a node or pod, or of "fabric", the switch and router.',
    )
    .argument('<member>', 'node, pod or fabric')
    .argument('<command...>', 'command and arguments, after --')
    .option('--lab <name>', WHICH)
    .addHelpText(
      'after',
      `
Examples:
  poplin lab exec pod1 -- ping -c1 10.10.1.2
  poplin lab exec node1 -- ip route
  poplin lab exec fabric -- kubectl get nodes

KUBECONFIG names the lab's own API server, which is reached from the fabric and from nodes.
Exit status: that of the command, 127 if there is none of that name, 1 if there is no such member.`,
    )
    .passThroughOptions()
    .action((member: string, words: string[], flags: { lab?: string }) => {
      // Behind the first argument nothing is read any more, not even the two hyphens.
      const command = words[0] === '--' ? words.slice(1) : words;
      if (command.length === 0) throw new LabError(`say what to run in ${member}, behind "--"`);
      const name = pick(flags.lab);
      const dir = new LabDir(name);
      if (!dir.exists) throw new LabError(`there is no lab "${name}"`);
      return execIn(dir, member, command);
    });
}

function downCommand(): Command {
  return new Command('down')
    .description('Remove a lab: all processes in it, its namespaces, its files.')
    .argument('[name]', WHICH)
    .addHelpText(
      'after',
      `
Examples:
  poplin lab down
  poplin lab down demo

It works too if the lab's supervisor is gone. Exit status: 0 if the lab is gone, 1 if there was none.`,
    )
    .action(async (name: string | undefined) => {
      const chosen = pick(name);
      if (!(await takeDown(chosen))) throw new LabError(`there is no lab "${chosen}"`);
      process.stdout.write(`lab "${chosen}" is gone\n`);
    });
}

/** What `up` and `demo` start; not for people. */
function superviseCommand(): Command {
  return new Command('supervise')
    .argument('<name>')
    .option('--tied')
    .action((name: string, flags: { tied?: boolean }) => supervise(name, flags.tied ?? false));
}

async function up(file: string | undefined): Promise<void> {
  const topology = readTopology(file);
  const progress = new Progress(process.stderr);
  using interrupt = new Interrupt();
  try {
    const step = (text: string) => progress.step(text);
    await launchLab(topology, { progress: step, signal: interrupt.signal, tied: false });
  } catch (error) {
    progress.end();
    if (!(error instanceof LaunchInterrupted)) throw error;
    process.stderr.write('interrupted, and cleaned up\n');
    process.exitCode = interrupt.exitStatus;
    return;
  }
  progress.end();
  const { name } = topology;
  const program = programName();
  const rows = ['lab matrix', 'lab status', 'lab exec MEMBER -- COMMAND', 'lab down'];
  const named = listLabs().length > 1 ? (row: string) => withName(row, name) : (row: string) => row;
  process.stdout.write(
    `\n${describeLab(await labState(name))}\n${describeApi(name)}\n\nNext:\n${rows.map((row) => `  ${program} ${named(row)}\n`).join('')}`,
  );
}

function withName(row: string, name: string): string {
  return row.startsWith('lab exec') ? row.replace('exec', `exec --lab ${name}`) : `${row} ${name}`;
}

function describeApi(name: string): string {
  const lab = listLabs().length > 1 ? ` --lab ${name}` : '';
  return `Kubernetes API: ${programName()} lab exec${lab} fabric -- kubectl get nodes,pods,leases -A`;
}

function readTopology(file: string | undefined): Topology {
  if (file === undefined) return demoTopology();
  if (!existsSync(file)) throw new LabError(`no topology file "${file}": see lab/topologies for examples`);
  const parsed = parseTopology(readFileSync(file, 'utf8'), file);
  for (const warning of parsed.warnings) process.stderr.write(`warning: ${formatProblem(warning)}\n`);
  return withBgp(withPolicies(requireConfig(parsed), file), file);
}

/** The lab of that name, or the only one. */
function pick(name: string | undefined): string {
  if (name !== undefined) return name;
  const labs = listLabs();
  const [only] = labs;
  if (only === undefined) throw new LabError(`no lab is up: build one with "${programName()} lab up"`);
  if (labs.length > 1) throw new LabError(`several labs are up: name one of ${labs.join(', ')}`);
  return only;
}
