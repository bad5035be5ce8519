/**
 * The configurations of late calls, read. Runtimes send a network's configuration with every pod, byte for byte, and all that is worked
 * out from it (core/cni decodeWith) is known for the object that was read. What holds an earlier plugin's result differs from pod to pod.
 */
import { type JsonObject, parseJsonObject } from '#core/cni/index.ts';

const MAX_CONFIGS = 32;
/** Longer ones are read each time. */
const MAX_CHARS = 16 * 1024;

export class KnownConfigs {
  /** By their text, those that were asked for last behind the others. */
  private readonly byText = new Map<string, JsonObject>();

  /** The object, which must not be changed. Throws CniError 6 for what is none. */
  read(text: string): JsonObject {
    const known = this.byText.get(text);
    const config = known ?? parseJsonObject(text, 'network config');
    if (known !== undefined) this.byText.delete(text);
    else if (text.length > MAX_CHARS || config['prevResult'] !== undefined) return config;
    this.byText.set(text, config);
    for (const oldest of this.byText.keys()) {
      if (this.byText.size <= MAX_CONFIGS) break;
      this.byText.delete(oldest);
    }
    return config;
  }
}
