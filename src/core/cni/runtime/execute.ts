/** Executing one plugin through the port: the request in, its answer or its error out. Specification 1.1.0, section 2. */
import type { ExecPlugin } from '../ports.ts';
import { type CniEnvironment, encodeCniEnvironment } from '../spec/environment.ts';
import { CNI_ERROR, CniError, decodeError } from '../spec/error.ts';
import { type JsonObject, parseJson } from '../spec/json.ts';

export interface PluginRequest {
  readonly type: string;
  readonly environment: CniEnvironment;
  /** The request configuration. */
  readonly request: JsonObject;
}

/** What the plugin printed, undefined if nothing; throws the plugin's own error, or CniError 999 if it gave none. */
export async function executePlugin(
  exec: ExecPlugin,
  { type, environment, request }: PluginRequest,
  signal?: AbortSignal,
): Promise<unknown> {
  const output = await exec.run(
    { type, environment: encodeCniEnvironment(environment), stdin: JSON.stringify(request) },
    signal,
  );
  if (output.exitCode === 0) {
    return output.stdout.trim() === '' ? undefined : parseJson(output.stdout, `output of plugin ${type}`);
  }
  const error = errorFrom(output.stdout);
  if (error) throw error;
  throw new CniError(
    CNI_ERROR.internal,
    `plugin ${type} failed (${environment.command}) with status ${output.exitCode} and no error object`,
    output.stderr.trim() || output.stdout.trim(),
  );
}

function errorFrom(stdout: string): CniError | undefined {
  try {
    return decodeError(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}
