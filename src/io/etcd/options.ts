/** Where etcd is and who we are to it, as flannel's flags say it. */
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '#base/clock.ts';
import { describe } from '#io/http/index.ts';

/** `--etcd-…`, one to one. */
export interface EtcdOptions {
  /** `http://127.0.0.1:2379`, `https://…`; tried in this order, several separated by commas in an element too. */
  readonly endpoints: readonly string[];
  /** `/coreos.com/network` if absent. */
  readonly prefix?: string;
  readonly keyFile?: string;
  readonly certFile?: string;
  readonly caFile?: string;
  readonly username?: string;
  readonly password?: string;
}

/** The options do not make sense; all problems at once, each names its flag. */
export class EtcdOptionsError extends Error {
  override readonly name = 'EtcdOptionsError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`etcd: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** The endpoints as URLs. Throws EtcdOptionsError; passwords are not repeated in it. */
export function checkEtcdOptions(options: EtcdOptions): readonly URL[] {
  const problems: string[] = [];
  const texts = options.endpoints.flatMap((text) => text.split(',')).map((text) => text.trim());
  const urls = texts.filter((text) => text !== '').flatMap((text) => endpointOf(text, problems) ?? []);
  if (urls.length === 0 && problems.length === 0) problems.push('--etcd-endpoints names none');
  const { keyFile, certFile, caFile, username, password } = options;
  if ((keyFile === undefined) !== (certFile === undefined))
    problems.push(`--etcd-keyfile and --etcd-certfile go together: only ${keyFile ?? certFile} is given`);
  const plain = urls.find((url) => url.protocol === 'http:');
  if (plain !== undefined && (keyFile ?? certFile ?? caFile) !== undefined)
    problems.push(
      `--etcd-endpoints: ${plain.origin} is not encrypted, although certificates are given: use https`,
    );
  if (password !== undefined && (username ?? '') === '')
    problems.push('--etcd-password is given without --etcd-username');
  if (username !== undefined && username !== '' && password === undefined)
    problems.push(`--etcd-username ${username} is given without --etcd-password`);
  if (problems.length > 0) throw new EtcdOptionsError(problems);
  return urls;
}

function endpointOf(text: string, problems: string[]): URL | undefined {
  const url = URL.parse(text);
  const named = `--etcd-endpoints: ${url === null ? `"${text.replace(/\/\/.*@/, '//…@')}"` : url.host}`;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    problems.push(`${named} is no URL such as http://127.0.0.1:2379`);
    return undefined;
  }
  if (url.username !== '' || url.password !== '')
    problems.push(`${named}: user and password go into --etcd-username and --etcd-password`);
  else if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    problems.push(`${named}: ${url.pathname}${url.search}${url.hash} after the host is not used by etcd`);
  else return url;
  return undefined;
}

type Secrets = Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>;

/** How often the files are looked at, at most. */
const LOOK_MS = 1000;

/**
 * Certificates and key, read again when their files change. Whoever renews them writes one file after the other: until they fit
 * together, the earlier ones stay in use.
 */
export class TlsFiles {
  readonly #files: readonly (readonly [keyof Secrets, string])[];
  readonly #clock: Clock;
  readonly #warn: (fields: object, message: string) => void;
  #secrets: Secrets | undefined;
  #seen = '';
  #lookedAtMs = 0;
  #version = 0;
  #warned = '';

  constructor(
    { caFile, certFile, keyFile }: EtcdOptions,
    clock: Clock,
    warn: (fields: object, message: string) => void,
  ) {
    const files = { ca: caFile, cert: certFile, key: keyFile };
    this.#files = (['ca', 'cert', 'key'] as const).flatMap((name) => {
      const path = files[name];
      return path === undefined ? [] : [[name, path] as const];
    });
    this.#clock = clock;
    this.#warn = warn;
  }

  /** What to connect with, and a number that changes when it does. Throws where there was never anything usable. */
  current(): { readonly secrets: Secrets; readonly version: number } {
    const now = this.#clock.now();
    if (this.#secrets === undefined || Math.abs(now - this.#lookedAtMs) >= LOOK_MS) {
      this.#lookedAtMs = now;
      this.#look();
    }
    return { secrets: this.#secrets ?? {}, version: this.#version };
  }

  #look(): void {
    try {
      const marks = this.#files.map(([, path]) => {
        const { mtimeMs, ino, size } = statSync(path);
        return `${path} ${mtimeMs} ${ino} ${size}`;
      });
      const seen = marks.join('\n');
      if (this.#secrets !== undefined && seen === this.#seen) return;
      const secrets = Object.fromEntries(
        this.#files.map(([name, path]) => [name, readFileSync(path, 'utf8')]),
      ) as Secrets;
      createSecureContext(secrets);
      this.#secrets = secrets;
      this.#seen = seen;
      this.#warned = '';
      this.#version++;
    } catch (error) {
      const paths = this.#files.map(([, path]) => path).join(', ');
      const text = `etcd certificates ${paths}: ${describe(error)}`;
      if (this.#secrets === undefined) throw new EtcdOptionsError([text]);
      if (text === this.#warned) return;
      this.#warned = text;
      this.#warn({ reason: text }, 'etcd certificates cannot be read again: the earlier ones stay in use');
    }
  }
}
