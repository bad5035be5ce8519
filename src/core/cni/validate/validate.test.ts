import { describe, expect, test } from 'vitest';
import { formatProblem } from '#core/config/index.ts';
import { PLUGIN_TYPES } from '../plugins/index.ts';
import { INTERFACE_PLUGIN_KEYS, IPAM_PLUGIN_KEYS } from './plugin-keys-table.ts';
import { validateNetwork, validatePlugin } from './validate.ts';

const found = (text: string) => {
  const { problems, warnings } = validateNetwork(text, 'a.conflist');
  return { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
};
const list = (plugins: string, more = '') =>
  `{"cniVersion": "1.0.0", "name": "net",${more}\n"plugins": [${plugins}]}`;

test('a configuration with comments, capabilities and plugins of others has nothing wrong', () => {
  const text = `{ // the pods
    "cniVersion": "1.0.0", "cniVersions": ["0.4.0", "1.1.0"], "name": "net", "disableCheck": "true",
    "plugins": [
      {"type": "bridge", "isGateway": true, "mtu": 1400, "ipam": {"type": "host-local", "subnet": "10.1.0.0/16"}},
      {"type": "cilium-cni", "anything": {"goes": 1}},
      {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}, ] }`;
  expect(found(text)).toEqual({ problems: [], warnings: [] });
});

test('all problems are told at once, each with its place', () => {
  const text = `{
  "cniVersion": "one", "name": "a b", "disableGC": 1,
  "plugins": [
    {"type": "bridge", "mtu": "x", "isGatway": true},
    {"type": "bridge", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.1/16"}]]}},
    {"type": "poplin", "mtuu": 1},
    {"type": "portmap", "capabilities": {"portMappings": "yes", "portMapping": true}, "runtimeConfig": {}},
    {}, 7, {"type": "../x"}
  ]
}`;
  expect(found(text)).toEqual({
    problems: [
      'a.conflist:2:17: cniVersion: must be one of 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
      expect.stringMatching(/^a\.conflist:2:32: name: "name" is "a b"/),
      'a.conflist:2:52: disableGC: must be true or false',
      'a.conflist:4:31: plugins[0].mtu: must be a whole number from 0',
      expect.stringMatching(/^a\.conflist:5:\d+: plugins\[1\]\.ipam\.ranges\[0\]: .*host bits/),
      'a.conflist:6:32: plugins[2].mtuu: is not a known key (did you mean "mtu"?)',
      'a.conflist:7:58: plugins[3].capabilities.portMappings: must be true or false',
      'a.conflist:8:5: plugins[4].type: is required: the name of the plugin',
      'a.conflist:8:9: plugins[5]: must be an object',
      'a.conflist:8:21: plugins[6].type: "../x" is a path: give the plugin\'s name',
    ],
    warnings: [
      'a.conflist:4:48: plugins[0].isGatway: is not a known key and is ignored (did you mean "isGateway"?)',
      'a.conflist:7:80: plugins[3].capabilities.portMapping: is not a capability that runtimes know (did you mean "portMappings"?)',
      'a.conflist:7:104: plugins[3].runtimeConfig: is reserved: the runtime writes it',
    ],
  });
});

test('what the keys’ kinds and the plugin’s parser say of one plugin is told together, each place once', () => {
  const text = list(
    '{"type": "bridge", "mtu": "x", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.1/16"}]]}}',
  );
  expect(found(text).problems).toEqual([
    'a.conflist:2:39: plugins[0].mtu: must be a whole number from 0',
    expect.stringMatching(/ranges\[0\]: .*host bits/),
  ]);
});

test('the firewall plugin and dhcp are asked too', () => {
  const text = list(
    '{"type": "bridge", "ipam": {"type": "dhcp", "request": [{"option": "nothing"}]}}, {"type": "firewall", "backend": "firewalld"}',
  );
  expect(found(text).problems).toEqual([
    expect.stringMatching(/request\[0\]\.option: "nothing" is not a DHCP option/),
    expect.stringMatching(/plugins\[1\]\.backend: is not served/),
  ]);
});

describe('what stops a network', () => {
  test.each<[string, string, RegExp]>([
    ['broken syntax', '{"name": }', /^a\.conflist:1:10: expected a value/],
    ['a repeated key', list('{"type": "x"}', '"name": "net",'), /name/],
    ['no plugins', list(''), /plugins: must not be empty/],
    [
      'a list that may load none',
      '{"name": "n", "cniVersion": "1.0.0", "loadOnlyInlinedPlugins": true}',
      /plugins: is required/,
    ],
    [
      'a chained plugin in front',
      list('{"type": "tuning"}'),
      /tuning works on an interface .* cannot be the first/,
    ],
    [
      'an interface plugin for addresses',
      list('{"type": "ptp", "ipam": {"type": "bridge"}}'),
      /ipam\.type: "bridge" makes interfaces/,
    ],
    [
      'addresses of nobody',
      list('{"type": "ptp", "ipam": {"subnet": "10.0.0.0/8"}}'),
      /ipam\.type: is required/,
    ],
    [
      'a missing range',
      list('{"type": "bridge", "ipam": {"type": "host-local"}}'),
      /plugins\[0\]\.ipam: no IP ranges/,
    ],
    [
      'what excludes each other',
      list('{"type": "bridge", "hairpinMode": true, "promiscMode": true}'),
      /cannot set hairpin mode and promiscuous mode/,
    ],
    ['no object', '[]', /must be an object/],
  ])('%s', (_what, text, expected) => {
    expect(found(text).problems.join('\n')).toMatch(expected);
  });
});

describe('what is probably a slip', () => {
  test.each<[string, string, RegExp]>([
    ['no version', '{"name": "n", "type": "bridge"}', /cniVersion: is not given/],
    ['a misspelt plugin', list('{"type": "brigde"}'), /not a known plugin \(did you mean "bridge"\?\)/],
    [
      'a misspelt IPAM plugin',
      list('{"type": "ptp", "ipam": {"type": "host-locl"}}'),
      /did you mean "host-local"/,
    ],
    [
      'a misspelt list key',
      list('{"type": "ptp"}', '"disableChek": true,'),
      /disableChek: .*did you mean "disableCheck"/,
    ],
    [
      'addresses nobody takes',
      list('{"type": "loopback", "ipam": {"type": "static"}}'),
      /loopback takes no addresses/,
    ],
    [
      'a version to come',
      list('{"type": "ptp"}', '"cniVersions": ["2.0.0"],'),
      /cniVersions\[0\]: is a version we do not speak/,
    ],
    ['plugins elsewhere', '{"name": "n", "cniVersion": "1.0.0"}', /those of the folder n\/\*\.conf/],
  ])('%s', (_what, text, expected) => {
    const { problems, warnings } = found(text);
    expect(problems).toEqual([]);
    expect(warnings.join('\n')).toMatch(expected);
  });
});

test('a plugin of a network’s folder needs no name, and may be a chained one', () => {
  expect(validatePlugin('{"type": "portmap", "snat": 1}', 'p.conf')).toMatchObject({
    problems: [{ line: 1, path: 'snat', message: 'must be true or false' }],
    warnings: [],
  });
  expect(validatePlugin('{"type": "portmap"}', 'p.conf')).toEqual({ problems: [], warnings: [] });
});

test('the keys of every plugin of ours are known', () => {
  const known = [...Object.keys(INTERFACE_PLUGIN_KEYS), ...Object.keys(IPAM_PLUGIN_KEYS)];
  expect(PLUGIN_TYPES.filter((type) => !known.includes(type))).toEqual([]);
});
