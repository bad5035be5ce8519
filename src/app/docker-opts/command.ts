/** `poplin docker-opts`, in the place of flannel's mk-docker-opts.sh and with its flags. */
import { Command } from 'commander';
import {
  type DockerOptsChoice,
  decodeSubnetEnv,
  dockerOptions,
  encodeDockerOpts,
  SubnetEnvError,
} from '#core/lease/index.ts';
import { atomicWrite, readTextIfExists } from '#io/files/index.ts';

interface DockerOptsFlags {
  readonly f: string;
  readonly d: string;
  readonly i?: boolean;
  readonly c?: boolean;
  readonly k: string;
  readonly m?: boolean;
  readonly ipv6?: boolean;
  readonly json?: boolean;
}

export function dockerOptsCommand(): Command {
  return new Command('docker-opts')
    .description("Write the options with which Docker's daemon uses the node's subnet.")
    .option('-f <file>', 'what the agent wrote of the subnet', '/run/flannel/subnet.env')
    .option('-d <file>', 'the file to write; - prints it', '/run/docker_opts.env')
    .option('-i', 'a variable for each option')
    .option('-c', 'one variable with all of them; without -i and -c: both')
    .option('-k <name>', 'its name', 'DOCKER_OPTS')
    .option('-m', 'say nothing of --ip-masq')
    .option('--ipv6', "Docker's bridge takes the node's IPv6 subnet too")
    .option('--json', 'print the options as a JSON object, by variable, and write no file')
    .addHelpText(
      'after',
      `
Examples:
  poplin docker-opts -c -k DOCKER_NETWORK_OPTIONS
  poplin docker-opts -d -

The flags are those of flannel's mk-docker-opts.sh, and so is the file. deploy/systemd/docker.service.d has a drop-in that runs this
before Docker and gives it the options.
Exit status: 0 written, 1 not: the message says what is missing.`,
    )
    .action(execute);
}

async function execute(flags: DockerOptsFlags): Promise<void> {
  try {
    const env = await readSubnetEnv(flags.f);
    const choice = choiceOf(flags);
    const text = encodeDockerOpts(env, choice);
    if (flags.json === true)
      process.stdout.write(`${JSON.stringify(Object.fromEntries(dockerOptions(env, choice)), null, 2)}\n`);
    else if (flags.d === '-') process.stdout.write(text);
    else await atomicWrite(flags.d, text);
  } catch (error) {
    // A word that a person wrote, or a file that is not as it should be: nothing of the program's.
    if (!(error instanceof SubnetEnvError || error instanceof RangeError || isSystemError(error)))
      throw error;
    process.stderr.write(`poplin docker-opts: ${error.message}\n`);
    process.exitCode = 1;
  }
}

async function readSubnetEnv(file: string) {
  const text = await readTextIfExists(file);
  if (text === undefined)
    throw new SubnetEnvError(
      `${file} is not there: it is written once the agent is ready (see: poplin status)`,
    );
  return decodeSubnetEnv(text, file);
}

function choiceOf({ i = false, c = false, k, m = false, ipv6 = false }: DockerOptsFlags): DockerOptsChoice {
  return {
    individual: i || !c,
    ...((c || !i) && { combinedKey: k }),
    ipMasq: !m,
    ipv6,
  };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
