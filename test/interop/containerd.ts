/** Debian's containerd in a container host, and the Container Runtime Interface it serves, as a kubelet talks to it. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, credentials, loadPackageDefinition, type ServiceError } from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { until } from '../e2e/agent-world.ts';
import type { ContainerHost } from './container-host.ts';
import { busyboxImage, IMAGE } from './oci-image.ts';

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly container_port: number;
  readonly host_port: number;
  readonly host_ip?: string;
}

export interface SandboxOptions {
  readonly ports?: readonly PortMapping[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Sandbox {
  readonly id: string;
  readonly state: string;
  readonly addresses: readonly string[];
  /** Its network namespace, as the host's box names it. */
  readonly netns: string;
  /** What the plugins answered, by the interface's name: those of the sandbox, and those of the host. */
  readonly interfaces: Readonly<Record<string, SandboxInterface>>;
}

export interface SandboxInterface {
  readonly IPConfigs: readonly { readonly IP: string; readonly Gateway: string }[] | null;
  readonly Mac: string;
  /** Empty for interfaces of the host. */
  readonly Sandbox: string;
}

/** What containerd says of a network it has read. */
export interface LoadedNetwork {
  readonly Config: {
    readonly Name: string;
    readonly Plugins: readonly { readonly Network: { readonly type: string } }[];
  };
}

interface StatusReply {
  readonly info: Readonly<Record<string, string>>;
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: boolean }[] };
}

interface SandboxReply {
  readonly status: {
    readonly state: string;
    readonly network: { readonly ip: string; readonly additional_ips: readonly { readonly ip: string }[] };
  };
  readonly info: Readonly<Record<string, string>>;
}

interface SandboxInfo {
  readonly runtimeSpec?: {
    readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
  };
  readonly cniResult?: { readonly Interfaces: Readonly<Record<string, SandboxInterface>> };
}

/** Images are unpacked from this namespace of containerd's. */
const CRI_NAMESPACE = 'k8s.io';

export class Containerd implements Disposable {
  readonly socket: string;
  private readonly host: ContainerHost;
  private client: Client | undefined;

  private constructor(host: ContainerHost) {
    this.host = host;
    this.socket = join(host.folder, 'containerd.sock');
  }

  /** Starts containerd with the image that everything here is made of. It ends with the host. */
  static async start(host: ContainerHost): Promise<Containerd> {
    const containerd = new Containerd(host);
    const file = (name: string) => join(host.folder, name);
    writeFileSync(file('containerd.toml'), configuration(containerd.socket));
    writeFileSync(file('image.tar'), busyboxImage());
    host.box.spawn('containerd', ['--config', file('containerd.toml'), '--log-level', 'warn'], {
      stdio: ['ignore', 'ignore', process.env['POPLIN_TEST_LOG'] === undefined ? 'ignore' : 'inherit'],
    });
    await until('containerd listens', () => existsSync(containerd.socket));
    await containerd.ctr(CRI_NAMESPACE, 'image', 'import', file('image.tar'));
    return containerd;
  }

  [Symbol.dispose](): void {
    this.client?.close();
  }

  /** Runs `ctr` in a namespace of containerd's; what it printed. */
  ctr(namespace: string, ...args: readonly string[]): Promise<string> {
    return this.host.box.run('ctr', '--address', this.socket, '--namespace', namespace, ...args);
  }

  /** Waits until containerd has read the network's configuration. */
  async networkReady(): Promise<void> {
    await until('containerd calls its network ready', async () => {
      const { status } = await this.call<StatusReply>('Status', {});
      return status.conditions.some(({ type, status }) => type === 'NetworkReady' && status);
    });
  }

  /** The networks containerd has read: the loopback's and the pods'. */
  async networks(): Promise<readonly LoadedNetwork[]> {
    const { info } = await this.call<StatusReply>('Status', { verbose: true });
    const { Networks } = JSON.parse(info['cniconfig'] ?? '{}') as { Networks?: readonly LoadedNetwork[] };
    return Networks ?? [];
  }

  /** Makes a pod sandbox; its id. */
  async run(name: string, { ports = [], annotations = {} }: SandboxOptions = {}): Promise<string> {
    const reply = await this.call<{ pod_sandbox_id: string }>('RunPodSandbox', {
      config: {
        metadata: { name, uid: `uid-of-${name}`, namespace: 'default' },
        hostname: name,
        log_directory: join(this.host.folder, 'logs'),
        port_mappings: ports,
        annotations,
        linux: { cgroup_parent: this.host.cgroup },
      },
    });
    return reply.pod_sandbox_id;
  }

  async status(id: string): Promise<Sandbox> {
    const { status, info } = await this.call<SandboxReply>('PodSandboxStatus', {
      pod_sandbox_id: id,
      verbose: true,
    });
    const { ip, additional_ips } = status.network;
    const { runtimeSpec, cniResult } = JSON.parse(info['info'] ?? '{}') as SandboxInfo;
    return {
      id,
      state: status.state,
      addresses: [ip, ...additional_ips.map((each) => each.ip)],
      netns: runtimeSpec?.linux?.namespaces?.find(({ type }) => type === 'network')?.path ?? '',
      interfaces: cniResult?.Interfaces ?? {},
    };
  }

  async stop(id: string): Promise<void> {
    await this.call('StopPodSandbox', { pod_sandbox_id: id });
  }

  async remove(id: string): Promise<void> {
    await this.call('RemovePodSandbox', { pod_sandbox_id: id });
  }

  private async call<Reply>(method: string, request: object): Promise<Reply> {
    this.client ??= await connect(this.socket);
    const stub = this.client as unknown as Readonly<
      Record<string, (request: object, done: (error: ServiceError | null, reply: Reply) => void) => unknown>
    >;
    return new Promise((resolve, reject) => {
      stub[method]?.(request, (error, reply) => {
        if (error === null) resolve(reply);
        else reject(new Error(`${method}: ${error.details}`));
      });
    });
  }
}

async function connect(socket: string): Promise<Client> {
  const definition = await load(join(import.meta.dirname, 'cri.proto'), {
    keepCase: true,
    enums: String,
    defaults: true,
  });
  const { runtime } = loadPackageDefinition(definition) as unknown as {
    runtime: { v1: { RuntimeService: new (...args: unknown[]) => Client } };
  };
  // containerd refuses the authority that grpc-js makes of a socket's path.
  return new runtime.v1.RuntimeService(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
  });
}

/** Control groups of version 1 and hard limits that cannot be raised: the least that runs everywhere. */
function configuration(socket: string): string {
  return `version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
}
