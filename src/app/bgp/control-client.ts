/** Asks a running speaker: the agent's where it speaks BGP, else one that runs alone. */
import { type IncomingMessage, request } from 'node:http';
import { hasCode } from '#io/files/index.ts';

/** There is no speaker, or it says no. */
export class SpeakerError extends Error {
  override readonly name = 'SpeakerError';
}

/** Where a speaker may be: the first that is there and speaks is asked. */
export type Places = readonly string[];

/** HTTP's answer of an agent that does not speak BGP. */
const UNAVAILABLE = 503;

type Parameters = Readonly<Record<string, string | readonly string[] | true | undefined>>;

/** The answer as a value. Rejects with SpeakerError. */
export async function ask(
  places: Places,
  method: 'GET' | 'POST',
  path: string,
  parameters: Parameters = {},
): Promise<unknown> {
  let text = '';
  for await (const line of askLines(places, method, path, parameters)) text += line;
  return JSON.parse(text);
}

/** The answer line by line. Rejects with SpeakerError. */
export async function* askLines(
  places: Places,
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
  yield* linesOf(await open(places, method, `/bgp${path}?${query.toString()}`));
}

/** The answer of the first who has one. Whoever is there and does not speak says why, if nobody else is there. */
async function open(places: Places, method: string, path: string): Promise<IncomingMessage> {
  let refusal: string | undefined;
  for (const place of places) {
    const response = await send(place, method, path);
    if (response?.statusCode === 200) return response;
    if (response === undefined) continue;
    const text = await errorOf(response);
    if (response.statusCode !== UNAVAILABLE) throw new SpeakerError(text);
    refusal ??= text;
  }
  throw new SpeakerError(refusal ?? `no speaker is running at ${places.join(' or ')}`);
}

async function errorOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const line of linesOf(response)) text += line;
  return String((JSON.parse(text) as { readonly error: unknown }).error);
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

/** Undefined if nobody is there. */
function send(socketPath: string, method: string, path: string): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, agent: false }, resolve);
    call.on('error', (error) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ECONNREFUSED')) resolve(undefined);
      else if (hasCode(error, 'EACCES')) reject(new SpeakerError(`${socketPath}: only root may ask`));
      else reject(error);
    });
    call.end();
  });
}
