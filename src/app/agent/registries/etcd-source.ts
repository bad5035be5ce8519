/** The registry in etcd as an agent is started with it. */
import { randomUUID } from 'node:crypto';
import type { AcquirerConfig } from '#core/lease/index.ts';
import type { EtcdOptions } from '#io/etcd/index.ts';
import { atomicCreate, atomicWrite, readTextIfExists } from '#io/files/index.ts';
import { type EtcdRegistryOptions, etcdRegistry } from './etcd.ts';
import type { RegistrySource } from './source.ts';

export interface EtcdSourceOptions extends EtcdRegistryOptions {
  /** Where the node's identity is kept: made where there is none. It tells two machines of one name or one address apart. */
  readonly identityFile: string;
  readonly leaseTimes?: Pick<AcquirerConfig, 'renewMarginSec'>;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Disposal closes the connection to etcd. */
export function etcdSource(options: EtcdSourceOptions): RegistrySource & Disposable {
  const registry = etcdRegistry(options);
  return {
    name: nameOf(options.etcd),
    netConf: (signal) => registry.netConf(signal),
    open: async (request) =>
      registry.open({
        ...request,
        ownerUid: await identity(options.identityFile),
        ...(options.leaseTimes !== undefined && { leaseTimes: options.leaseTimes }),
      }),
    [Symbol.dispose]: () => registry[Symbol.dispose](),
  };
}

/** Without names and passwords that an endpoint may carry. */
function nameOf({ endpoints }: EtcdOptions): string {
  const urls = endpoints.flatMap((text) => text.split(',')).filter((text) => URL.canParse(text));
  return `etcd ${urls.map((text) => new URL(text).origin).join(' ')}`;
}

/** Agents of several networks may begin at once: all of them have the identity that one made. */
async function identity(file: string): Promise<string> {
  const found = (await readTextIfExists(file))?.trim();
  if (found !== undefined && UUID.test(found)) return found;
  const made = randomUUID();
  if (found !== undefined) await atomicWrite(file, `${made}\n`);
  else if (!(await atomicCreate(file, `${made}\n`))) return identity(file);
  return made;
}
