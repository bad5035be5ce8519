import { describe, expect, it, test } from 'vitest';
import { FLAG_NAMES, FLAGS, type FlagRow, variableOf } from './flags-table.ts';
import { type FlanneldOptions, parseFlanneld } from './options.ts';
import { flagTable, flanneldUsage } from './usage.ts';

const KUBE = ['-kube-subnet-mgr'];
const NODE = { NODE_NAME: 'n1' };

function parsed(args: readonly string[], env: Readonly<Record<string, string>> = {}): FlanneldOptions {
  const call = parseFlanneld(args, env);
  if (typeof call === 'string') throw new Error(`unexpected ${call}`);
  return call;
}

describe('flanneld without flags', () => {
  test('does what flannel does', () => {
    expect(parsed([])).toEqual({
      registry: {
        type: 'etcd',
        endpoints: ['http://127.0.0.1:4001', 'http://127.0.0.1:2379'],
        prefix: '/coreos.com/network',
        renewMarginSec: 3600,
      },
      ifaces: [],
      ifaceRegexes: [],
      forwardRules: true,
      forwardResyncSec: 5,
      blackholeRoute: false,
      subnetFile: '/run/flannel/subnet.env',
      logLevel: 'info',
      warnings: [],
    });
  });

  test('takes subnets from Kubernetes as flannel’s manifest asks it to', () => {
    const env = { POD_NAME: 'kube-flannel-x', POD_NAMESPACE: 'kube-flannel', EVENT_QUEUE_DEPTH: '5000' };
    expect(parsed(['--ip-masq', '--kube-subnet-mgr'], env)).toMatchObject({
      registry: {
        type: 'kubernetes',
        annotationPrefix: 'flannel.alpha.coreos.com/',
        setNodeNetworkUnavailable: true,
        netConfFile: '/etc/kube-flannel/net-conf.json',
        node: { pod: 'kube-flannel-x', namespace: 'kube-flannel' },
      },
      masquerade: { isFullyRandom: true },
      warnings: ['EVENT_QUEUE_DEPTH has no effect: no queue of events can overflow'],
    });
  });
});

describe('a command line is read as Go reads it', () => {
  it.each<[string, readonly string[], Partial<FlanneldOptions>]>([
    ['one dash', ['-ip-masq'], { masquerade: { isFullyRandom: true } }],
    ['two dashes and a value', ['--ip-masq=T'], { masquerade: { isFullyRandom: true } }],
    ['no by a value', ['-iptables-forward-rules=0'], { forwardRules: false }],
    [
      'the last of several',
      ['-healthz-port=1', '--healthz-port', '2'],
      { healthz: { host: '0.0.0.0', port: 2 } },
    ],
    ['numbers of every base', ['-healthz-port=0x1_0'], { healthz: { host: '0.0.0.0', port: 16 } }],
    ['octal numbers', ['-healthz-port', '010'], { healthz: { host: '0.0.0.0', port: 8 } }],
    ['lists', ['-iface', 'eth0', '--iface=eth1'], { ifaces: ['eth0', 'eth1'] }],
    ['values that begin with a dash', ['-subnet-file', '-x'], { subnetFile: '-x' }],
    ['values with a sign', ['-subnet-file=/a=b'], { subnetFile: '/a=b' }],
    ['an end', ['-iface', 'eth0', '--', '-iface', 'eth1'], { ifaces: ['eth0'] }],
    ['klog’s level', ['-v=4'], { logLevel: 'trace' }],
    ['klog’s level in decimal', ['-v', '010'], { logLevel: 'trace' }],
    ['less than nothing', ['-v', '-1'], { logLevel: 'info' }],
    ['addresses in their short form', ['-public-ipv6', 'FD00:0::5'], { publicIpv6: 'fd00::5' }],
    [
      'an IPv6 address to serve on',
      ['-healthz-ip=[::]', '-healthz-port=1'],
      { healthz: { host: '::', port: 1 } },
    ],
    [
      'ports as they come',
      ['-ip-masq', '-ip-masq-fully-random-disable'],
      { masquerade: { isFullyRandom: false } },
    ],
  ])('%s', (_name, args, wanted) => {
    expect(parsed(args)).toMatchObject(wanted);
  });

  it.each<[readonly string[], string]>([
    [['-frob'], 'flag provided but not defined: -frob'],
    [['---iface'], 'bad flag syntax: ---iface'],
    [['-=x'], 'bad flag syntax: -=x'],
    [['-iface'], 'flag needs an argument: -iface'],
    [['-ip-masq=maybe'], 'invalid boolean value "maybe" for -ip-masq: parse error'],
    [['-healthz-port', 'http'], 'invalid value "http" for flag -healthz-port: parse error'],
    [['-healthz-port', '09'], 'invalid value "09" for flag -healthz-port: parse error'],
    [['-healthz-port', '65536'], 'invalid value "65536" for flag -healthz-port: must be 0 to 65535'],
    [
      ['-healthz-ip', '1.2.3'],
      'invalid value "1.2.3" for -healthz-ip: an IP address or a host name is wanted',
    ],
    [
      ['-subnet-lease-renew-margin=1440'],
      'invalid value "1440" for flag -subnet-lease-renew-margin: must be 1 to 1439',
    ],
    [['-subnet-lease-renew-margin=0'], 'must be 1 to 1439'],
    [['-v', '0x1'], 'invalid value "0x1" for flag -v: parse error'],
    [['-public-ip', 'fd00::1'], 'invalid value "fd00::1" for -public-ip: an IPv4 address is wanted'],
    [['-public-ipv6', '10.0.0.1'], 'an IPv6 address is wanted'],
    [
      ['-iface-can-reach', 'gateway'],
      'invalid value "gateway" for -iface-can-reach: an IP address is wanted',
    ],
    [['-iface-regex', '('], 'invalid value "(" for -iface-regex: '],
    [['-iface-regex', 'a(?=b)'], 'Go’s expressions have no "(?="'],
    [
      ['-etcd-endpoints', 'http://a,b:2379'],
      'invalid value "b:2379" for -etcd-endpoints: a URL of http or https',
    ],
    [['-etcd-endpoints='], 'invalid value "" for -etcd-endpoints'],
    [['-etcd-keyfile', 'k'], 'a key and a certificate go together'],
    [['-subnet-file='], 'invalid value "" for -subnet-file: a file name is wanted'],
    [[...KUBE, '-kube-annotation-prefix', 'a.b/c/d'], 'invalid value "a.b/c/d" for -kube-annotation-prefix'],
    [[...KUBE, '-kube-annotation-prefix', 'flannel'], 'a domain is wanted'],
    [[...KUBE, '-kube-api-url', 'localhost'], 'invalid value "localhost" for -kube-api-url'],
  ])('%j is refused', (args, message) => {
    expect(() => parseFlanneld(args, NODE)).toThrow(message);
  });

  test('-h, -help and -version are answered, and only they', () => {
    expect(parseFlanneld(['-h'], {})).toBe('help');
    expect(parseFlanneld(['-iface', 'x', '--help', '-frob'], {})).toBe('help');
    expect(parseFlanneld(['-version'], {})).toBe('version');
    expect(parsed(['-version=false']).ifaces).toEqual([]);
  });
});

describe('variables', () => {
  test('stand for flags that are not given, one word each, and never when empty', () => {
    const env = {
      FLANNELD_IFACE: 'eth7,eth8',
      FLANNELD_IP_MASQ: 'true',
      FLANNELD_HEALTHZ_PORT: '8081',
      FLANNELD_SUBNET_FILE: '',
      FLANNELD_V: '1',
      FLANNELD_VERSION: 'v0.28.0',
    };
    expect(parsed(['-healthz-port', '9'], env)).toMatchObject({
      ifaces: ['eth7,eth8'],
      masquerade: { isFullyRandom: true },
      healthz: { host: '0.0.0.0', port: 9 },
      subnetFile: '/run/flannel/subnet.env',
      logLevel: 'debug',
    });
    expect(parsed(['-iface', 'eth0'], env).ifaces).toEqual(['eth0']);
  });

  it.each<[Readonly<Record<string, string>>, string]>([
    [{ FLANNELD_IP_MASQ: 'yes' }, 'invalid value "yes" of FLANNELD_IP_MASQ for -ip-masq: parse error'],
    [
      { FLANNELD_HEALTHZ_PORT: '-1' },
      'value "-1" of FLANNELD_HEALTHZ_PORT for -healthz-port: must be 0 to 65535',
    ],
    [{ FLANNELD_PUBLIC_IP: 'x' }, 'invalid value "x" for FLANNELD_PUBLIC_IP: an IPv4 address is wanted'],
    [{ EVENT_QUEUE_DEPTH: 'deep' }, 'invalid value "deep" of EVENT_QUEUE_DEPTH'],
  ])('%j is refused', (env, message) => {
    expect(() => parseFlanneld([], env)).toThrow(message);
  });

  test('say which node this is', () => {
    const nodeOf = (env: Readonly<Record<string, string>>) => parsed(KUBE, env).registry;
    expect(nodeOf({ ...NODE, POD_NAME: 'p', POD_NAMESPACE: 'n' })).toMatchObject({ node: { name: 'n1' } });
    expect(() => nodeOf({ POD_NAME: 'p' })).toThrow('NODE_NAME, or POD_NAME and POD_NAMESPACE');
  });

  test('exist for every flag', () => {
    expect(variableOf('kube-subnet-mgr')).toBe('FLANNELD_KUBE_SUBNET_MGR');
    expect(new Set(FLAG_NAMES.map(variableOf)).size).toBe(FLAG_NAMES.length);
  });
});

describe('nothing that has no effect passes without a word', () => {
  test('neither flags without a meaning here', () => {
    const { warnings } = parsed(['-vmodule', 'x=1'], {
      FLANNELD_LOG_BACKTRACE_AT: 'a:1',
    });
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(/^-vmodule has no effect: /);
    expect(warnings[1]).toMatch(/^FLANNELD_LOG_BACKTRACE_AT has no effect: /);
  });

  test.each([...FLAG_NAMES])('-%s has an effect or a warning in either mode', (name) => {
    const row: FlagRow = FLAGS[name];
    const args = [`-${name}=${row.type === 'bool' ? 'false' : (SAMPLES[name] ?? row.default)}`];
    // A key wants its certificate, and the other way round.
    if (name === 'etcd-keyfile') args.push('-etcd-certfile=x');
    if (name === 'etcd-certfile') args.push('-etcd-keyfile=x');
    for (const [mode, base] of [
      ['etcd', []],
      ['kubernetes', KUBE],
    ] as const) {
      const { warnings } = parsed([...args, ...(name === 'kube-subnet-mgr' ? [] : base)], NODE);
      const isIdle = row.idle !== undefined || (row.only !== undefined && row.only !== mode);
      expect(
        warnings.some((text) => text.startsWith(`-${name} `)),
        mode,
      ).toBe(isIdle);
    }
  });

  test('nor words that are not read', () => {
    const { masquerade, ifaces, warnings } = parsed(['-ip-masq', 'false', '-iface', 'eth0']);
    expect([masquerade, ifaces]).toEqual([{ isFullyRandom: true }, []]);
    expect(warnings[0]).toContain('"false -iface eth0"');
  });
});

const SAMPLES: Readonly<Record<string, string>> = {
  'etcd-keyfile': 'key.pem',
  'etcd-certfile': 'cert.pem',
  'kube-api-url': 'https://10.0.0.1:6443',
  'iface-can-reach': '10.0.0.1',
  'public-ip': '10.0.0.1',
  'public-ipv6': 'fd00::1',
  vmodule: 'x=1',
};

test.each<[string, string, boolean]>([
  ['(?i)ETH', 'eth0', true],
  ['^eth[[:digit:]]+$', 'eth12', true],
  ['^[[:alpha:]_-]+$', 'eth1', false],
  ['\\Aeth\\d\\z', 'eth1', true],
  ['\\Aeth\\d\\z', 'eth12', false],
  ['(?P<kind>en)p', 'enp3s0', true],
  ['en(?:p|o)', 'eno1', true],
  ['[(?=]x', '=x', true],
])('the expression %s of Go works on %s', (text, name, wanted) => {
  const [regex] = parsed(['-iface-regex', text]).ifaceRegexes;
  expect(regex?.test(name)).toBe(wanted);
});

test('help and the documentation have each flag', () => {
  for (const name of FLAG_NAMES) {
    expect(flanneldUsage('flanneld')).toMatch(new RegExp(`^  -${name}\\b`, 'm'));
    expect(flagTable()).toContain(`| \`-${name}\` |`);
  }
});
