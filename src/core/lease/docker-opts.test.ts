import { describe, expect, test } from 'vitest';
import { type DockerOptsChoice, encodeDockerOpts } from './docker-opts.ts';
import type { SubnetEnv } from './subnet-env.ts';

const IPV4: SubnetEnv = {
  network: ['10.244.0.0/16'],
  subnet: '10.244.3.0/24',
  ipv6Network: [],
  mtuBytes: 1450,
  ipMasq: true,
};
const IPV6: SubnetEnv = { ...IPV4, ipv6Network: ['fd00:10:244::/48'], ipv6Subnet: 'fd00:10:244:3::/64' };
const BOTH: DockerOptsChoice = { individual: true, combinedKey: 'DOCKER_OPTS', ipMasq: true, ipv6: false };

describe('encodeDockerOpts', () => {
  test.each<[string, SubnetEnv, Partial<DockerOptsChoice>, string]>([
    [
      'says all, one by one and together, as mk-docker-opts.sh does',
      IPV4,
      {},
      `DOCKER_OPT_BIP="--bip=10.244.3.1/24"
DOCKER_OPT_IPMASQ="--ip-masq=false"
DOCKER_OPT_MTU="--mtu=1450"
DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1450"
`,
    ],
    [
      'has Docker masquerade where flannel does not',
      { ...IPV4, ipMasq: false },
      { individual: false },
      'DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=true --mtu=1450"\n',
    ],
    [
      'gives the combined variable another name, and leaves masquerading out',
      IPV4,
      { individual: false, combinedKey: 'DOCKER_NETWORK_OPTIONS', ipMasq: false },
      'DOCKER_NETWORK_OPTIONS=" --bip=10.244.3.1/24 --mtu=1450"\n',
    ],
    [
      'says nothing of IPv6 unless it is asked to',
      IPV6,
      { individual: false },
      'DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --mtu=1450"\n',
    ],
    [
      'tells of the IPv6 subnet',
      IPV6,
      { ipv6: true },
      `DOCKER_OPT_BIP="--bip=10.244.3.1/24"
DOCKER_OPT_IPMASQ="--ip-masq=false"
DOCKER_OPT_IPV6="--ipv6 --fixed-cidr-v6=fd00:10:244:3::/64"
DOCKER_OPT_MTU="--mtu=1450"
DOCKER_OPTS=" --bip=10.244.3.1/24 --ip-masq=false --ipv6 --fixed-cidr-v6=fd00:10:244:3::/64 --mtu=1450"
`,
    ],
  ])('%s', (_name, env, choice, text) => {
    expect(encodeDockerOpts(env, { ...BOTH, ...choice })).toBe(text);
  });

  test.each<[string, SubnetEnv, Partial<DockerOptsChoice>, string]>([
    ['a key with a space', IPV4, { combinedKey: 'A B' }, '"A B" is no name of a variable'],
    ['an IPv6 subnet that is not there', IPV4, { ipv6: true }, 'the node has no IPv6 subnet'],
  ])('refuses %s', (_name, env, choice, message) => {
    expect(() => encodeDockerOpts(env, { ...BOTH, ...choice })).toThrow(new RangeError(message));
  });

  test('does not start Docker beside the network of a node with IPv6 alone, unless told to', () => {
    const { subnet: _, ...alone } = IPV6;
    expect(() => encodeDockerOpts(alone, BOTH)).toThrow(RangeError);
    expect(encodeDockerOpts(alone, { ...BOTH, individual: false, ipv6: true })).toBe(
      'DOCKER_OPTS=" --ip-masq=false --ipv6 --fixed-cidr-v6=fd00:10:244:3::/64 --mtu=1450"\n',
    );
  });
});
