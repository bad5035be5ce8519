import { describe, expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { encodeCniArgs, parseCniArgs } from './args.ts';
import { CNI_COMMANDS, encodeCniEnvironment, parseCniEnvironment } from './environment.ts';
import { CniError } from './error.ts';

const complete = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c0ffee',
  CNI_NETNS: '/run/netns/pod',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
};

describe('the environment', () => {
  test('is read, and written as it was read', () => {
    const env = { ...complete, CNI_ARGS: 'IP=10.1.0.9', CNI_NETNS_OVERRIDE: 'True' };
    const parsed = parseCniEnvironment({ ...env, HOME: '/root' });
    expect(parsed).toEqual({
      command: 'ADD',
      containerId: 'c0ffee',
      netns: '/run/netns/pod',
      ifName: 'eth0',
      args: 'IP=10.1.0.9',
      path: '/opt/cni/bin',
      netnsOverride: true,
    });
    expect(encodeCniEnvironment(parsed)).toEqual({ ...env, CNI_NETNS_OVERRIDE: '1' });
  });

  test.each([
    ['', '[CNI_COMMAND]'],
    ['ADD', '[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH]'],
    ['CHECK', '[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH]'],
    ['DEL', '[CNI_CONTAINERID,CNI_IFNAME,CNI_PATH]'],
    ['GC', '[CNI_PATH]'],
    ['STATUS', '[CNI_PATH]'],
  ])('%s names all missing variables at once', (CNI_COMMAND, names) => {
    expect(thrownBy(CniError, () => parseCniEnvironment({ CNI_COMMAND }))).toMatchObject({
      code: 4,
      msg: `required env variables ${names} missing`,
    });
  });

  test('every command is served when it has all it needs', () => {
    for (const command of CNI_COMMANDS) {
      expect(parseCniEnvironment({ ...complete, CNI_COMMAND: command }).command).toBe(command);
    }
    expect(parseCniEnvironment({ CNI_COMMAND: 'VERSION' }).command).toBe('VERSION');
  });

  test.each([
    ['CNI_COMMAND', 'add', 'unknown CNI_COMMAND: add'],
    ['CNI_CONTAINERID', '-x', 'invalid characters in containerID'],
    ['CNI_CONTAINERID', 'a/b', 'invalid characters in containerID'],
    ['CNI_IFNAME', 'sixteen-letters-', 'interface name is too long: more than 15 bytes'],
    ['CNI_IFNAME', '..', 'interface name is . or ..'],
    ['CNI_IFNAME', 'a:b', 'interface name contains / or : or whitespace characters'],
    ['CNI_IFNAME', 'a\tb', 'interface name contains / or : or whitespace characters'],
  ])('%s=%j is refused', (name, value, msg) => {
    const error = thrownBy(CniError, () => parseCniEnvironment({ ...complete, [name]: value }));
    expect(error).toMatchObject({ code: 4, msg });
  });

  test('a name of 15 bytes is accepted', () => {
    const parsed = parseCniEnvironment({ ...complete, CNI_IFNAME: 'fifteen-letters' });
    expect(parsed.ifName).toBe('fifteen-letters');
  });
});

describe('CNI_ARGS', () => {
  test('are pairs; what Kubernetes runtimes pass is known', () => {
    const text = 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-1;IP=10.1.0.9';
    const pairs = parseCniArgs(text);
    expect(pairs.get('K8S_POD_NAME')).toBe('web-1');
    expect(encodeCniArgs(pairs)).toBe(text);
    expect(parseCniArgs('').size).toBe(0);
  });

  test('unknown keys are an error unless IgnoreUnknown is set, wherever it stands', () => {
    expect(thrownBy(CniError, () => parseCniArgs('FOO=1;IP=10.1.0.9;BAR=2'))).toMatchObject({
      code: 4,
      msg: 'CNI_ARGS: unknown args ["FOO=1" "BAR=2"]',
    });
    for (const flag of ['1', 'true', 'True']) {
      expect(parseCniArgs(`FOO=1;IgnoreUnknown=${flag}`).get('FOO')).toBe('1');
    }
    expect(thrownBy(CniError, () => parseCniArgs('FOO=1;IgnoreUnknown=0'))?.code).toBe(4);
  });

  test.each(['IP', 'IP=1=2', ';', '=x', 'IgnoreUnknown=maybe'])('%j is malformed', (text) => {
    expect(thrownBy(CniError, () => parseCniArgs(text))).toMatchObject({ code: 4 });
  });
});
