/**
 * What Docker's daemon is to be started with so that its bridge takes the node's subnet: the file that flannel's mk-docker-opts.sh
 * makes of subnet.env, line for line. Docker's IPv6 is more than that script knows, and only given where it is asked for.
 */
import { hostForm, type SubnetEnv } from './subnet-env.ts';

export interface DockerOptsChoice {
  /** A variable for each option: `DOCKER_OPT_MTU="--mtu=1450"`. */
  readonly individual: boolean;
  /** One variable with all options, of this name; absent: none. */
  readonly combinedKey?: string;
  /** Whether Docker is told to masquerade or not: the opposite of FLANNEL_IPMASQ, for one of the two must. */
  readonly ipMasq: boolean;
  /** Docker's bridge takes the node's IPv6 subnet too. */
  readonly ipv6: boolean;
}

/** A name that a shell and systemd's EnvironmentFile= take for a variable's. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The options by their variables, in the order of mk-docker-opts.sh: that of the alphabet. */
export function dockerOptions(env: SubnetEnv, choice: DockerOptsChoice): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  if (env.subnet !== undefined) options.set('DOCKER_OPT_BIP', `--bip=${hostForm(env.subnet)}`);
  if (choice.ipMasq) options.set('DOCKER_OPT_IPMASQ', `--ip-masq=${!env.ipMasq}`);
  if (choice.ipv6 && env.ipv6Subnet !== undefined)
    options.set('DOCKER_OPT_IPV6', `--ipv6 --fixed-cidr-v6=${env.ipv6Subnet}`);
  return options.set('DOCKER_OPT_MTU', `--mtu=${env.mtuBytes}`);
}

/**
 * The file's text. The value of the combined variable begins with a space, as the script's does. Throws RangeError for a key that is no
 * name of a variable, and where nothing of the node's subnet is left to tell Docker.
 */
export function encodeDockerOpts(env: SubnetEnv, choice: DockerOptsChoice): string {
  const { individual, combinedKey, ipv6 } = choice;
  if (combinedKey !== undefined && !VARIABLE.test(combinedKey))
    throw new RangeError(`${JSON.stringify(combinedKey)} is no name of a variable`);
  if (env.subnet === undefined && !ipv6)
    throw new RangeError(
      'the node has an IPv6 subnet alone, which Docker is told of by --ipv6: its bridge takes IPv4 from elsewhere then',
    );
  if (env.ipv6Subnet === undefined && ipv6) throw new RangeError('the node has no IPv6 subnet');
  const options = dockerOptions(env, choice);
  const lines = individual ? [...options].map(([name, value]) => `${name}="${value}"`) : [];
  if (combinedKey !== undefined) lines.push(`${combinedKey}=" ${[...options.values()].join(' ')}"`);
  return lines.map((line) => `${line}\n`).join('');
}
