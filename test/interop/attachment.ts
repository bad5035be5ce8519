/** Pods of a container host, attached to a network list as a runtime does it: ADD, CHECK and DEL through the whole chain. */
import {
  addNetwork,
  checkNetwork,
  delNetwork,
  type JsonObject,
  type NetworkList,
  parseNetworkList,
} from '#core/cni/index.ts';
import { type ContainerHost, podNetns } from './container-host.ts';

export interface AttachmentOptions {
  readonly name: string;
  /** The chain, as a configuration has it. */
  readonly plugins: readonly object[];
  /** CNI_PATH. */
  readonly path: string;
  readonly ifName?: string;
  readonly capabilityArgs?: JsonObject;
}

/** A pod on a network; the pod's namespace must be there. */
export class PodAttachment {
  readonly netns: string;
  /** The addresses that ADD gave, without prefix lengths. */
  readonly addresses: readonly string[];
  private readonly host: ContainerHost;
  private readonly pod: string;
  private readonly list: NetworkList;
  private readonly options: AttachmentOptions;
  private readonly result: JsonObject;

  private constructor(
    host: ContainerHost,
    pod: string,
    list: NetworkList,
    options: AttachmentOptions,
    result: JsonObject,
  ) {
    this.host = host;
    this.pod = pod;
    this.list = list;
    this.options = options;
    this.result = result;
    this.netns = podNetns(pod);
    const ips = (result['ips'] ?? []) as readonly { address: string }[];
    this.addresses = ips.map(({ address }) => address.replace(/\/\d+$/, ''));
  }

  /** Attaches a pod. Rejects with the plugin's own error. */
  static async add(host: ContainerHost, pod: string, options: AttachmentOptions): Promise<PodAttachment> {
    const { name, plugins, path } = options;
    const list = parseNetworkList(JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
    const result = await addNetwork(list, parametersOf(pod, options, path), host.exec);
    return new PodAttachment(host, pod, list, options, result);
  }

  /** Rejects with the error of the plugin that is not content. */
  async check(path: string = this.options.path): Promise<void> {
    await checkNetwork(this.list, parametersOf(this.pod, this.options, path), this.result, this.host.exec);
  }

  /** CHECK of the chain's last plugin alone, found in another folder. */
  async checkLast(path: string): Promise<void> {
    const list = { ...this.list, plugins: this.list.plugins.slice(-1) };
    await checkNetwork(list, parametersOf(this.pod, this.options, path), this.result, this.host.exec);
  }

  async del(path: string = this.options.path): Promise<void> {
    await delNetwork(this.list, parametersOf(this.pod, this.options, path), this.result, this.host.exec);
  }
}

function parametersOf(
  pod: string,
  { ifName = 'eth0', capabilityArgs = {} }: AttachmentOptions,
  path: string,
) {
  return { containerId: `container-${pod}`, netns: podNetns(pod), ifName, path, capabilityArgs };
}
