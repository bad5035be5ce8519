import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPreviousSubnets } from './previous-subnets.ts';

const SUBNET_ENV = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.7.1/24
FLANNEL_IPV6_NETWORK=fd44::/48
FLANNEL_IPV6_SUBNET=fd44:0:0:7::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`;

describe('the subnets a node had before', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-previous-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const read = (lease?: string, env?: string) => {
    const paths = { lease: join(folder, 'lease.json'), subnetEnv: join(folder, 'subnet.env') };
    if (lease !== undefined) writeFileSync(paths.lease, lease);
    if (env !== undefined) writeFileSync(paths.subnetEnv, env);
    return readPreviousSubnets(paths);
  };

  it('are those that an agent wrote down, whatever flannel says', async () => {
    expect(await read('{"ipv4":"10.244.9.0/24"}', SUBNET_ENV)).toEqual({ ipv4: '10.244.9.0/24' });
  });

  it('are those of flannel where no agent was before', async () => {
    const flannels = { ipv4: '10.244.7.0/24', ipv6: 'fd44:0:0:7::/64' };
    expect(await read(undefined, SUBNET_ENV)).toEqual(flannels);
    expect(await read('{', SUBNET_ENV)).toEqual(flannels);
  });

  it('are none where nothing can be read', async () => {
    expect(await read()).toBeUndefined();
    expect(await read('{', 'FLANNEL_MTU=1450\n')).toBeUndefined();
  });
});
