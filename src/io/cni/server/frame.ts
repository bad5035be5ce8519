/**
 * The frames between the plugin on disk (native/cni-client.c) and the agent: magic, version, then length-prefixed parts, all
 * integers big-endian. A pending DEL on disk is a request frame too.
 */
import {
  bytes,
  type Codec,
  DecodeError,
  decodeAll,
  encodeAll,
  Reader,
  struct,
  u32be,
} from '#core/codec/index.ts';

const MAGIC = Uint8Array.from('PCN1', (char) => char.charCodeAt(0));
const FRAME_VERSION = 1;
const MAX_NAME_BYTES = 256;
const MAX_ENVIRONMENT_BYTES = 256 * 1024;
const MAX_STDIN_BYTES = 1024 * 1024;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
/** No request is longer; more is refused before it is kept. */
export const MAX_REQUEST_BYTES = 20 + MAX_NAME_BYTES + MAX_ENVIRONMENT_BYTES + MAX_STDIN_BYTES;

function part(maxBytes: number): Codec<Uint8Array> {
  return {
    shape: { of: 'bytes' },
    decode: (reader) => {
      const at = reader.offset;
      const length = reader.u32be();
      if (length > maxBytes) throw new DecodeError(`${length} bytes, at most ${maxBytes} are allowed`, at);
      return reader.copy(length);
    },
    encode: (writer, value) => {
      if (value.length > maxBytes)
        throw new RangeError(`${value.length} bytes, at most ${maxBytes} are allowed`);
      writer.u32be(value.length);
      writer.raw(value);
    },
  };
}

const requestFrame = struct({
  magic: bytes(4),
  version: u32be,
  plugin: part(MAX_NAME_BYTES),
  environment: part(MAX_ENVIRONMENT_BYTES),
  stdin: part(MAX_STDIN_BYTES),
});
const replyFrame = struct({
  magic: bytes(4),
  version: u32be,
  exitStatus: u32be,
  stdout: part(MAX_OUTPUT_BYTES),
  stderr: part(MAX_OUTPUT_BYTES),
});

/** Exported for the round trip and fuzz tests. */
export const CNI_FRAMES = { requestFrame, replyFrame };

/** One call of a plugin, as the runtime made it. */
export interface PluginCall {
  /** The name the plugin was called by: `bridge`. */
  readonly plugin: string;
  /** The CNI_ variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export interface PluginAnswer {
  readonly exitStatus: number;
  readonly stdout: string;
  readonly stderr: string;
}

const fromUtf8 = new TextDecoder();
const toUtf8 = new TextEncoder();

/** Throws DecodeError for anything but one whole request frame. */
export function decodeRequest(frame: Uint8Array): PluginCall {
  const { magic, version, plugin, environment, stdin } = decodeAll(requestFrame, frame);
  checkHead(magic, version);
  return {
    plugin: fromUtf8.decode(plugin),
    environment: parseEnvironment(fromUtf8.decode(environment)),
    stdin: fromUtf8.decode(stdin),
  };
}

export function encodeRequest(call: PluginCall): Uint8Array {
  const environment = Object.entries(call.environment).map(([name, value]) => `${name}=${value}\0`);
  return encodeAll(requestFrame, {
    magic: MAGIC,
    version: FRAME_VERSION,
    plugin: toUtf8.encode(call.plugin),
    environment: toUtf8.encode(environment.join('')),
    stdin: toUtf8.encode(call.stdin),
  });
}

export function encodeReply(answer: PluginAnswer): Uint8Array {
  return encodeAll(replyFrame, {
    magic: MAGIC,
    version: FRAME_VERSION,
    exitStatus: answer.exitStatus,
    stdout: toUtf8.encode(answer.stdout),
    stderr: toUtf8.encode(answer.stderr),
  });
}

/** Throws DecodeError for anything but one whole reply frame. */
export function decodeReply(frame: Uint8Array): PluginAnswer {
  const { magic, version, exitStatus, stdout, stderr } = decodeAll(replyFrame, frame);
  checkHead(magic, version);
  return { exitStatus, stdout: fromUtf8.decode(stdout), stderr: fromUtf8.decode(stderr) };
}

/** How long the request is that begins with these bytes; undefined while too few are there. Throws DecodeError as soon as it is none. */
export function requestLength(received: Uint8Array): number | undefined {
  const reader = new Reader(received);
  if (reader.remaining < 8) return undefined;
  checkHead(reader.copy(4), reader.u32be());
  for (const maxBytes of [MAX_NAME_BYTES, MAX_ENVIRONMENT_BYTES, MAX_STDIN_BYTES]) {
    if (reader.remaining < 4) return undefined;
    const at = reader.offset;
    const length = reader.u32be();
    if (length > maxBytes) throw new DecodeError(`${length} bytes, at most ${maxBytes} are allowed`, at);
    if (maxBytes === MAX_STDIN_BYTES) return reader.offset + length;
    if (reader.remaining < length) return undefined;
    reader.skip(length);
  }
  return undefined;
}

function checkHead(magic: Uint8Array, version: number): void {
  if (MAGIC.some((byte, at) => byte !== magic[at]))
    throw new DecodeError('not a Poplin CNI frame', 0, 'magic');
  if (version !== FRAME_VERSION) {
    throw new DecodeError(
      `version ${version}, this agent speaks ${FRAME_VERSION}: reinstall the plugins`,
      4,
      'version',
    );
  }
}

function parseEnvironment(block: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const entry of block.split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) environment[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return environment;
}
