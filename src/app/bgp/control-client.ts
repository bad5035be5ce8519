/** Asks a running speaker. */
import { type IncomingMessage, request } from 'node:http';
import { hasCode } from '#io/files/index.ts';

/** There is no speaker, or it says no. */
export class SpeakerError extends Error {
  override readonly name = 'SpeakerError';
}

type Parameters = Readonly<Record<string, string | readonly string[] | true | undefined>>;

/** The answer as a value. Rejects with SpeakerError. */
export async function ask(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  parameters: Parameters = {},
): Promise<unknown> {
  let text = '';
  for await (const line of askLines(socket, method, path, parameters)) text += line;
  return JSON.parse(text);
}

/** The answer line by line. Rejects with SpeakerError. */
export async function* askLines(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  parameters: Parameters = {},
): AsyncGenerator<string> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value === true) query.append(key, '');
    else if (typeof value === 'string') query.append(key, value);
    else for (const each of value ?? []) query.append(key, each);
  }
  const response = await open(socket, method, `${path}?${query.toString()}`);
  if (response.statusCode === 200) {
    yield* linesOf(response);
    return;
  }
  let text = '';
  for await (const line of linesOf(response)) text += line;
  throw new SpeakerError(String((JSON.parse(text) as { readonly error: unknown }).error));
}

/** Lines as they come; who stops listening ends the answer. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if (hasCode(error, 'ECONNRESET')) throw new SpeakerError('the speaker has ended');
    throw error;
  } finally {
    // Whatever the socket says of it now is of no interest.
    response.on('error', () => undefined);
    response.destroy();
  }
  if (rest !== '') yield rest;
}

function open(socketPath: string, method: string, path: string) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const call = request({ socketPath, method, path }, resolve);
    call.on('error', (error) => {
      const isAbsent = hasCode(error, 'ENOENT', 'ECONNREFUSED');
      reject(isAbsent ? new SpeakerError(`no speaker is running at ${socketPath}`) : error);
    });
    call.end();
  });
}
