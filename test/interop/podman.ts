/** Debian's podman in a container host, with CNI networks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerHost } from './container-host.ts';
import { busyboxImage, IMAGE } from './oci-image.ts';

/** Hard limits cannot be raised everywhere, so they are named; runc bears control groups of version 1. */
const CONTAINERS_CONF = `
[containers]
default_sysctls = []
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
`;

export class Podman {
  private readonly host: ContainerHost;

  private constructor(host: ContainerHost) {
    this.host = host;
  }

  /** Configures podman, with the image that everything here is made of. */
  static async open(host: ContainerHost): Promise<Podman> {
    const podman = new Podman(host);
    const image = join(host.folder, 'image.tar');
    writeFileSync(image, busyboxImage());
    host.writeFile('/etc/containers/containers.conf', CONTAINERS_CONF);
    host.writeFile('/etc/containers/storage.conf', STORAGE_CONF);
    await podman.run('load', '--input', image);
    return podman;
  }

  /** Runs `podman`; what it printed, without the line's end. */
  async run(...args: readonly string[]): Promise<string> {
    return (await this.host.box.run('podman', ...args)).trimEnd();
  }

  /** Starts a container that sleeps. */
  async start(name: string, ...options: readonly string[]): Promise<void> {
    const parent = options.includes('--pod') ? [] : ['--cgroup-parent', this.host.cgroup];
    await this.run('run', '--detach', '--name', name, ...parent, ...options, IMAGE);
  }

  /** Makes a pod without containers. */
  async createPod(name: string, ...options: readonly string[]): Promise<void> {
    const common = ['--name', name, '--cgroup-parent', this.host.cgroup, '--infra-image', IMAGE];
    await this.run('pod', 'create', ...common, ...options);
  }

  /** Removes all containers and pods, whatever they do. */
  async removeAll(): Promise<void> {
    for (const kind of ['pod', 'container']) await this.run(kind, 'rm', '--all', '--force', '--time', '0');
  }

  /** A container's network namespace, as the host's box names it. */
  netns(name: string): Promise<string> {
    return this.run('inspect', '--format', '{{.NetworkSettings.SandboxKey}}', name);
  }
}

const STORAGE_CONF = `
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`;
