import { describe, expect, it } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { KubeconfigError, kubeConfigFor, loadKubeconfig } from './index.ts';

const PEM = (what: string) => `-----BEGIN ${what}-----\nAA==\n-----END ${what}-----\n`;
const base64 = (text: string) => Buffer.from(text).toString('base64');

const FILES: Record<string, string> = {
  '/etc/lab/ca.pem': PEM('CERTIFICATE'),
  '/etc/lab/client.pem': PEM('CLIENT'),
  '/keys/client.key': PEM('KEY'),
  '/etc/lab/token': 'from-file\n',
  '/etc/lab/empty': '',
};

function readFile(path: string): string {
  const text = FILES[path];
  if (text === undefined)
    throw Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: 'ENOENT' });
  return text;
}

/** A kubeconfig of one context with these keys in its cluster and user. */
function config(cluster: Record<string, unknown>, user: Record<string, unknown> = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    contexts: [{ name: 'lab', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
  });
}

const load = (text: string, context?: string) =>
  loadKubeconfig(text, { readFile, folder: '/etc/lab', ...(context ? { context } : {}) });
const server = 'https://192.0.2.1:6443';

describe('a kubeconfig', () => {
  it('gives server, certificates, names and token of its current context', () => {
    const text = `
apiVersion: v1
kind: Config
preferences: {}
current-context: two
contexts:
- {name: one, context: {cluster: a, user: a}}
- {name: two, context: {cluster: b, user: b, namespace: kube-system}}
clusters:
- {name: a, cluster: {server: "http://127.0.0.1:8080"}}
- name: b
  cluster:
    server: https://[fd00::1]:6443/prefix
    certificate-authority-data: ${base64(PEM('CERTIFICATE'))}
    tls-server-name: kubernetes.default
    extensions: []
users:
- {name: a}
- name: b
  user:
    client-certificate-data: ${base64(PEM('CLIENT'))}
    client-key-data: ${base64(PEM('KEY'))}
    token: abc
`;
    const { readToken, ...rest } = load(text);
    expect(rest).toEqual({
      server: 'https://[fd00::1]:6443/prefix',
      certificateAuthority: PEM('CERTIFICATE'),
      tlsServerName: 'kubernetes.default',
      clientCertificate: PEM('CLIENT'),
      clientKey: PEM('KEY'),
      namespace: 'kube-system',
      source: 'kubeconfig, context "two"',
    });
    expect(readToken?.()).toBe('abc');
    expect(() => load(text, 'one')).toThrow('user "a" is not among its users');
  });

  it('needs no user', () => {
    const text = `{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "http://localhost"}}]}`;
    expect(load(text)).toEqual({ server: 'http://localhost', source: 'kubeconfig, context "x"' });
  });

  it('names files relative to its own folder, and reads the token file anew each time', () => {
    const user = {
      'client-certificate': 'client.pem',
      'client-key': '/keys/client.key',
      tokenFile: './token',
      token: 'x',
    };
    const { readToken, ...rest } = load(config({ server, 'certificate-authority': 'ca.pem' }, user));
    expect(rest).toMatchObject({
      certificateAuthority: PEM('CERTIFICATE'),
      clientCertificate: PEM('CLIENT'),
      clientKey: PEM('KEY'),
    });
    expect(readToken?.()).toBe('from-file');
    FILES['/etc/lab/token'] = 'renewed\n';
    expect(readToken?.()).toBe('renewed');
  });

  it('lets inline data win over files', () => {
    const cluster = {
      server,
      'certificate-authority': 'none',
      'certificate-authority-data': base64(PEM('INLINE')),
    };
    expect(load(config(cluster)).certificateAuthority).toBe(PEM('INLINE'));
  });

  it('may ask not to verify the server', () => {
    expect(load(config({ server, 'insecure-skip-tls-verify': true })).insecureSkipTlsVerify).toBe(true);
    expect(load(config({ server, 'insecure-skip-tls-verify': false }))).not.toHaveProperty(
      'insecureSkipTlsVerify',
    );
  });

  const refused: Record<string, [text: string, ...problems: string[]]> = {
    'credential plugins': [
      config({ server }, { exec: { command: 'aws', apiVersion: 'v1' } }),
      'user "u": credential plugin (exec: aws) is not supported; use a token, a tokenFile or a client certificate',
    ],
    'auth providers': [
      config({ server }, { 'auth-provider': { name: 'gcp' } }),
      'auth-provider gcp is not supported',
    ],
    'passwords and impersonation': [
      config({ server }, { username: 'admin', password: 'secret', as: 'other' }),
      'basic authentication (username)',
      'impersonation (as)',
    ],
    'a missing file': [
      config({ server, 'certificate-authority': 'gone.pem' }, { tokenFile: 'gone' }),
      'cluster "c": certificate-authority: cannot read /etc/lab/gone.pem: ENOENT',
      'user "u": tokenFile: cannot read /etc/lab/gone: ENOENT',
    ],
    'what is no PEM': [
      config(
        { server, 'certificate-authority': 'empty' },
        { 'client-key-data': '%%', 'client-certificate': 'client.pem' },
      ),
      'certificate-authority /etc/lab/empty holds no PEM',
      'client-key-data is no base64 of PEM',
    ],
    'half a client certificate': [
      config({ server }, { 'client-certificate': 'client.pem' }),
      'client-certificate and client-key belong together',
    ],
    'verification both ways': [
      config({ server, 'insecure-skip-tls-verify': true, 'certificate-authority': 'ca.pem' }),
      'exclude each other',
    ],
    'a server that is no URL': [
      config({ server: 'localhost:6443' }),
      'server "localhost:6443" is no http or https URL',
    ],
    'a missing server': [config({}), 'server "" is no http'],
    proxies: [config({ server, 'proxy-url': 'http://p' }), 'proxy-url is not supported'],
    'wrong types': [
      config({ server: 1, 'insecure-skip-tls-verify': 'yes' }),
      'clusters.0.cluster.server: ',
      'clusters.0.cluster.insecure-skip-tls-verify: ',
    ],
    'an unknown context': [
      '{current-context: x, contexts: [{name: y, context: {}}]}',
      'context "x" is not among its contexts (y)',
    ],
    'no current context': ['{}', 'no current-context'],
    'an empty file': ['', 'no current-context'],
    'an unknown cluster': [
      '{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}]}',
      'cluster "c" is not among its clusters',
      'user "u" is not among its users',
    ],
    'what is no YAML': ['a: [', 'not YAML: '],
    'what is no kubeconfig': ['- a', 'the document: '],
  };
  for (const [what, [text, ...problems]] of Object.entries(refused))
    it(`is refused for ${what}`, () => {
      const error = thrownBy(KubeconfigError, () => load(text));
      expect(error).toBeInstanceOf(KubeconfigError);
      for (const problem of problems) expect(error?.message).toContain(problem);
      expect(error?.message).not.toContain('secret');
    });
});

describe('the choice of a server', () => {
  const named = (host: string) => config({ server: `https://${host}` }).replaceAll('"lab"', `"${host}"`);
  const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';
  const disk: Record<string, string> = {
    '/flag': named('flag'),
    '/env': named('env'),
    '/env2': named('env2'),
    '/home/me/.kube/config': named('home'),
    [`${serviceAccount}/ca.crt`]: PEM('CERTIFICATE'),
    [`${serviceAccount}/token`]: 'pod-token\n',
    [`${serviceAccount}/namespace`]: 'kube-system',
  };
  const readDisk = (path: string) => disk[path] ?? readFile(path);
  const choose = (env: Record<string, string>, kubeconfigPath?: string, context?: string) =>
    kubeConfigFor({
      env,
      readFile: readDisk,
      ...(kubeconfigPath ? { kubeconfigPath } : {}),
      ...(context ? { context } : {}),
    });
  const env = {
    KUBECONFIG: '/env',
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KUBERNETES_SERVICE_PORT: '443',
    HOME: '/home/me',
  };

  it('takes the flag, KUBECONFIG, the pod, the home folder in this order, and says which', () => {
    expect(choose(env, '/flag').source).toBe('kubeconfig /flag, context "flag"');
    expect(choose(env).source).toBe('kubeconfig /env, context "env"');
    expect(choose({ ...env, KUBECONFIG: '' }).source).toBe('in-cluster service account');
    expect(choose({ HOME: '/home/me' }).source).toBe('kubeconfig /home/me/.kube/config, context "home"');
  });

  it('merges the files of KUBECONFIG: the first to name a thing wins, missing ones are skipped', () => {
    const both = choose({ KUBECONFIG: '/none:/env:/env2' });
    expect(both).toMatchObject({
      server: 'https://env',
      source: 'kubeconfig /none, /env, /env2, context "env"',
    });
    const second = choose({ KUBECONFIG: '/none:/env:/env2' }, undefined, 'env2');
    expect(second.server).toBe('https://env');
    expect(() => choose({ KUBECONFIG: '/none:/none2' })).toThrow('none of these files exists');
  });

  it('does not pass over a file that was asked for', () => {
    expect(() => choose(env, '/none')).toThrow('kubeconfig /none: cannot be read: ENOENT');
    expect(() => choose({ ...env, KUBECONFIG: '/none' })).toThrow('kubeconfig /none: cannot be read');
  });

  it('says what it looked for where there is nothing', () => {
    expect(() => choose({ HOME: '/nobody' })).toThrow(
      'no kubernetes api server configured: no --kubeconfig; KUBECONFIG is not set; not in a pod (KUBERNETES_SERVICE_HOST is not set); there is no /nobody/.kube/config',
    );
    expect(() => choose({})).toThrow('HOME is not set');
  });

  it('reads a pod its service account, over IPv4 and IPv6', () => {
    const { readToken, ...rest } = choose({ ...env, KUBECONFIG: '' });
    expect(rest).toEqual({
      server: 'https://10.96.0.1:443',
      certificateAuthority: PEM('CERTIFICATE'),
      namespace: 'kube-system',
      source: 'in-cluster service account',
    });
    expect(readToken?.()).toBe('pod-token');
    expect(choose({ ...env, KUBECONFIG: '', KUBERNETES_SERVICE_HOST: 'fd00::1' }).server).toBe(
      'https://[fd00::1]:443',
    );
  });

  it('lists all that a pod lacks', () => {
    const error = thrownBy(KubeconfigError, () =>
      kubeConfigFor({ env: { KUBERNETES_SERVICE_HOST: 'x', KUBERNETES_SERVICE_PORT: 'y' }, readFile }),
    );
    expect(error?.message).toContain('KUBERNETES_SERVICE_PORT "y" is no port');
    expect(error?.message).toContain(`cannot read ${serviceAccount}/ca.crt: ENOENT`);
    expect(error?.message).toContain(`cannot read ${serviceAccount}/token: ENOENT`);
  });
});
