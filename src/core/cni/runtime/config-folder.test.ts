import { describe, expect, test } from 'vitest';
import type { ConfigFiles } from '../ports.ts';
import { loadFolder, loadNetwork } from './config-folder.ts';

const list = (name: string, type: string, more: object = {}) =>
  JSON.stringify({ cniVersion: '1.0.0', name, plugins: [{ type }], ...more });

/** Files by path below /net.d. */
function folder(files: Readonly<Record<string, string>>): ConfigFiles {
  return {
    names: async (path) => {
      const inside = Object.keys(files).filter((name) => `/net.d/${name}`.startsWith(`${path}/`));
      return inside
        .map((name) => `/net.d/${name}`.slice(path.length + 1))
        .filter((name) => !name.includes('/'));
    },
    read: async (path) => {
      const text = files[path.replace('/net.d/', '')];
      if (text === undefined) throw new Error(`ENOENT ${path}`);
      return text;
    },
  };
}

const typesOf = async (files: Readonly<Record<string, string>>, name: string) => {
  const { list: found } = await loadNetwork(folder(files), '/net.d', name);
  return found.plugins.map((plugin) => plugin['type']);
};

describe('the configuration of a network', () => {
  test('is the first list of its name, in the order of file names', async () => {
    const files = {
      '20-b.conflist': list('net', 'second'),
      '10-a.conflist': list('net', 'first'),
      '05-other.conflist': list('other', 'x'),
      '01-old.conf': JSON.stringify({ name: 'net', type: 'old' }),
      'README.txt': 'not read',
    };
    expect(await typesOf(files, 'net')).toEqual(['first']);
    expect((await loadFolder(folder(files), '/net.d')).networks.map(({ path }) => path)).toEqual([
      '/net.d/05-other.conflist',
      '/net.d/10-a.conflist',
      '/net.d/20-b.conflist',
      '/net.d/01-old.conf',
    ]);
  });

  test('may be an old single file, which becomes a list of one', async () => {
    const files = {
      'b.json': JSON.stringify({ name: 'net', type: 'bridge', cniVersion: '0.3.1' }),
      'c.conf': JSON.stringify({ name: 'net', type: 'late' }),
    };
    expect(await typesOf(files, 'net')).toEqual(['bridge']);
  });

  test('has the plugins of its own folder behind its own, unless it says no', async () => {
    const files = {
      'a.conflist': list('net', 'bridge'),
      'net/20-tuning.conf': '{"type": "tuning"}',
      'net/10-portmap.conf': '{"type": "portmap"}',
      'net/30-not.json': '{"type": "not"}',
      'closed.conflist': list('closed', 'bridge', { loadOnlyInlinedPlugins: true }),
      'closed/10-x.conf': '{"type": "x"}',
      'open.conflist': '{"name": "open"}',
      'open/10-x.conf': '{"type": "x"}',
    };
    expect(await typesOf(files, 'net')).toEqual(['bridge', 'portmap', 'tuning']);
    expect(await typesOf(files, 'closed')).toEqual(['bridge']);
    expect(await typesOf(files, 'open')).toEqual(['x']);
    await expect(
      loadNetwork(folder({ 'a.conflist': '{"name": "empty"}' }), '/net.d', 'empty'),
    ).rejects.toThrow('no plugin configs found');
    await expect(
      loadNetwork(folder({ 'a.conflist': list('net', 'x'), 'net/1.conf': '{}' }), '/net.d', 'net'),
    ).rejects.toThrow('/net.d/net/1.conf');
  });

  test('is found beside a broken file, which is told of', async () => {
    const files = { 'a.conflist': '{', 'b.conflist': list('net', 'bridge') };
    expect(await loadNetwork(folder(files), '/net.d', 'net')).toMatchObject({
      path: '/net.d/b.conflist',
      warnings: [expect.stringMatching(/a\.conflist/)],
    });
  });

  test('that is not there is told by what is', async () => {
    const files = { 'a.conflist': list('pods', 'x'), 'b.conflist': '{' };
    await expect(loadNetwork(folder(files), '/net.d', 'podz')).rejects.toMatchObject({
      code: 7,
      msg: 'no net configuration with name "podz" in /net.d (did you mean "pods"?)',
      details: expect.stringMatching(/^there are pods; .*b\.conflist/),
    });
    await expect(loadNetwork(folder({}), '/net.d', 'net')).rejects.toMatchObject({
      msg: 'no net configurations found in /net.d',
    });
  });
});
