import { describe, expect, test } from 'vitest';
import { CniError } from '../spec/error.ts';
import { parseNetworkList, parsePluginConf, withPlugins } from './network-list.ts';

const list = (json: object) => JSON.stringify({ cniVersion: '1.0.0', name: 'dbnet', ...json });
const bridge = { type: 'bridge', bridge: 'cni0', keyA: ['kept'] };

describe('a network list', () => {
  test('has the plugins as they are written', () => {
    const text = `{ // the databases\n "cniVersion": "1.1.0", "name": "dbnet",\n "plugins": [${JSON.stringify(bridge)}, {"type": "portmap"},] }`;
    expect(parseNetworkList(text)).toEqual({
      name: 'dbnet',
      cniVersion: '1.1.0',
      disableCheck: false,
      disableGc: false,
      loadOnlyInlinedPlugins: false,
      plugins: [bridge, { type: 'portmap' }],
    });
  });

  test('of one plugin, the old .conf, becomes a list of one', () => {
    const single = { cniVersion: '0.3.1', name: 'dbnet', ...bridge };
    expect(parseNetworkList(JSON.stringify(single))).toMatchObject({
      name: 'dbnet',
      cniVersion: '0.3.1',
      plugins: [single],
    });
    expect(parseNetworkList('{"name": "n", "type": "bridge"}').cniVersion).toBe('0.1.0');
  });

  test('has booleans, or strings that say so', () => {
    const parsed = parseNetworkList(
      list({ plugins: [bridge], disableCheck: 'True', disableGC: true, loadOnlyInlinedPlugins: 'false' }),
    );
    expect(parsed).toMatchObject({ disableCheck: true, disableGc: true, loadOnlyInlinedPlugins: false });
  });

  test('speaks the highest version it shares with us', () => {
    const versions = { cniVersions: ['0.4.0', '1.1.0', '2.0.0'], plugins: [bridge] };
    expect(parseNetworkList(list(versions)).cniVersion).toBe('1.1.0');
  });

  test('may get its plugins from elsewhere, unless it says no', () => {
    const portmap = parsePluginConf('{"type": "portmap"}');
    expect(withPlugins(parseNetworkList(list({})), [portmap]).plugins).toEqual([portmap]);
    const closed = parseNetworkList(list({ plugins: [bridge], loadOnlyInlinedPlugins: true }));
    expect(withPlugins(closed, [portmap]).plugins).toEqual([bridge]);
    expect(() => withPlugins(parseNetworkList(list({})), [])).toThrow('no plugin configs found');
  });

  test.each<[string, string]>([
    ['{', 'cannot decode a.conflist; CloseBraceExpected at line 1, column 2'],
    ['{"plugins": []}', 'error parsing a.conflist; no plugins in list'],
    ['{"plugins": [{"type": "x"}]}', 'error parsing a.conflist; no name'],
    [
      list({ name: 'a b', plugins: [bridge] }),
      'error parsing a.conflist; invalid characters found in network name',
    ],
    [list({ plugins: {} }), 'error parsing a.conflist; plugins: it is not a list'],
    [list({ plugins: [{}] }), "error parsing a.conflist: plugins[0]; missing 'type'"],
    [list({ plugins: [bridge, 7] }), 'error parsing a.conflist: plugins[1]; it is not a JSON object'],
    [
      list({ plugins: [{ type: '../x' }] }),
      'error parsing a.conflist: plugins[0]; type: "../x" is not a plugin\'s name',
    ],
    [
      list({ plugins: [bridge], disableCheck: 'no' }),
      'error parsing a.conflist; disableCheck: "no" is neither true nor false',
    ],
    [
      list({ loadOnlyInlinedPlugins: true }),
      'error parsing a.conflist; "loadOnlyInlinedPlugins" is true, and there is no "plugins" key',
    ],
    [
      list({ cniVersions: '1.0.0', plugins: [bridge] }),
      'error parsing a.conflist; cniVersions: it is not a list of strings',
    ],
  ])('%s is refused', (text, start) => {
    try {
      parseNetworkList(text, 'a.conflist');
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CniError);
      expect((error as CniError).message.slice(0, start.length)).toBe(start);
    }
  });
});
