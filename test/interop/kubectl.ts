/** A runner for the real kubectl. */
import { spawn } from 'node:child_process';
import { toolPath } from '../../tools/kube-tools.ts';

const TIMEOUT_MS = 60_000;

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
