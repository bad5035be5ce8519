/** `poplin agent --cni-only`: a plain container host, without a store, a lease or an overlay; and IPAM plugins of others. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CniHost } from './cni-host.ts';

const RANGES = [[{ subnet: '10.81.0.0/24' }], [{ subnet: 'fd81::/64' }]];
const BRIDGED = {
  cniVersion: '1.0.0',
  name: 'bridged',
  type: 'bridge',
  isDefaultGateway: true,
  ipam: { type: 'host-local', ranges: RANGES },
};

test('pods of a bridge reach the host and each other in both families, across a restart', async () => {
  await using host = new CniHost();
  expect(await host.startAgent()).toMatchObject({ ready: true, cniOnly: true, store: 'none' });
  for (const pod of ['a', 'b']) {
    host.pod(pod);
    expect(await host.call('bridge', 'ADD', pod, BRIDGED)).toMatchObject({ status: 0 });
  }
  const reach = () => {
    for (const target of ['10.81.0.1', '10.81.0.3', 'fd81::1', 'fd81::3'])
      host.inPod('a', `ping -nqc1 -W1 ${target}`);
  };
  reach();
  const shown = await host.poplin(['status', '--root-dir', host.root]);
  expect(shown.status).toBe(0);
  expect(shown.stdout).toMatch(/^ready {4}yes$/m);
  expect(shown.stdout).toMatch(/^mode {5}CNI alone/m);
  expect(shown.stdout).not.toMatch(/^lease/m);

  expect(await host.stopAgent()).toBe(0);
  reach();
  await host.startAgent();
  reach();
  for (const pod of ['a', 'b'])
    expect(await host.call('bridge', 'DEL', pod, BRIDGED)).toMatchObject({ status: 0 });
});

test('the plugin poplin works with ranges of its own, and says what it needs without', async () => {
  await using host = new CniHost();
  await host.startAgent();
  host.pod('a');
  const bare = { cniVersion: '1.0.0', name: 'pods', type: 'poplin' };
  const refused = await host.call('poplin', 'ADD', 'a', bare);
  expect(refused.status).toBe(1);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    code: 7,
    details: expect.stringMatching(/give "ipam"/),
  });
  const ranged = { ...bare, ipam: { type: 'host-local', ranges: RANGES } };
  expect(await host.call('poplin', 'ADD', 'a', ranged)).toMatchObject({ status: 0 });
  host.sh('ping -nqc1 -W1 10.81.0.2; ping -nqc1 -W1 fd81::2');
});

test('options that only a cluster has are refused beside --cni-only', async () => {
  await using host = new CniHost();
  const { status, stderr } = await host.poplin(['agent', '--cni-only', '--kubeconfig', '/nowhere']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/--kubeconfig/);
});

test("somebody else's IPAM plugin gives the addresses, and one of ours that it calls does not wait for itself", async () => {
  await using host = new CniHost();
  await host.startAgent();
  host.pod('a');
  // Notes each call, and passes it on to our host-local, which comes round to the agent.
  host.script('foreign', `echo "$CNI_COMMAND" >> ${host.folder}/calls\nexec ${join(host.bin, 'host-local')}`);
  const network = { ...BRIDGED, ipam: { ...BRIDGED.ipam, type: 'foreign' } };
  const added = await host.call('bridge', 'ADD', 'a', network);
  expect(added).toMatchObject({ status: 0 });
  expect(JSON.parse(added.stdout)).toMatchObject({
    ips: [{ address: '10.81.0.2/24' }, { address: 'fd81::2/64' }],
  });
  host.inPod('a', 'ping -nqc1 -W1 10.81.0.1; ping -nqc1 -W1 fd81::1');
  expect(await host.call('bridge', 'DEL', 'a', network)).toMatchObject({ status: 0 });
  expect(readFileSync(`${host.folder}/calls`, 'utf8')).toBe('ADD\nDEL\n');
  expect(existsSync(join(host.paths.hostLocal, 'bridged', '10.81.0.2'))).toBe(false);
});

test("a DEL that somebody else's IPAM plugin refuses fails, and is complete when it is repeated", async () => {
  await using host = new CniHost();
  await host.startAgent();
  host.pod('a');
  const refusal = `[ $CNI_COMMAND$(cat ${host.folder}/mood) = DELbad ] && { echo '{"code": 42, "msg": "not today"}'; exit 1; }`;
  host.script('foreign', `${refusal}\nexec ${join(host.bin, 'host-local')}`);
  writeFileSync(`${host.folder}/mood`, 'good');
  const network = { ...BRIDGED, ipam: { ...BRIDGED.ipam, type: 'foreign' } };
  expect(await host.call('bridge', 'ADD', 'a', network)).toMatchObject({ status: 0 });
  writeFileSync(`${host.folder}/mood`, 'bad');
  const refused = await host.call('bridge', 'DEL', 'a', network);
  expect([refused.status, JSON.parse(refused.stdout)]).toEqual([
    1,
    expect.objectContaining({ code: 42, msg: 'not today' }),
  ]);
  writeFileSync(`${host.folder}/mood`, 'good');
  expect(await host.call('bridge', 'DEL', 'a', network)).toMatchObject({ status: 0 });
  expect(existsSync(join(host.paths.hostLocal, 'bridged', '10.81.0.2'))).toBe(false);
  expect(host.sh('ip -o link')).not.toMatch(/veth|cni0/);
});

test('an IPAM plugin that is none of IPAM, is missing, or fails, is told of by name', async () => {
  await using host = new CniHost();
  await host.startAgent();
  host.pod('a');
  host.script('failing', `echo '{"code": 42, "msg": "no addresses today"}'; exit 1`);
  const add = async (type: string) => {
    const { stdout } = await host.call('bridge', 'ADD', 'a', { ...BRIDGED, ipam: { type } });
    return JSON.parse(stdout) as object;
  };
  expect(await add('bridge')).toMatchObject({
    code: 7,
    details: expect.stringMatching(/ipam\.type: "bridge"/),
  });
  expect(await add('absent')).toMatchObject({ code: 2, msg: expect.stringMatching(/plugin "absent"/) });
  expect(await add('failing')).toMatchObject({ code: 42, msg: 'no addresses today' });
  expect(host.sh('ip -o link show type veth')).toBe('');
});
