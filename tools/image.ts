/**
 * `npm run image`: the container image, from the bundle and this machine's Node and C library, by podman, FROM scratch. The same sources give
 * the same layers: times are those of the last commit. Needs no registry, and root only as podman does. The archive is for
 * `podman load`, `ctr images import` and their like.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '..');
export const IMAGE_NAME = `localhost/poplin:${packageJson.version}`;
export const IMAGE_FILE = join(ROOT, 'dist/poplin-image.tar');
/** Beside the bundle: what it starts, loads and installs. */
const NATIVE = ['poplin.node', 'poplin-cni', 'poplin-cni.sha256', 'poplin-tunnel'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const ENTRYPOINT = ['/usr/local/bin/node', '/opt/poplin/dist/poplin.mjs'];

/** podman takes nothing from the machine's configuration, and leaves nothing in its folders. */
export function containersConf(folder: string): string {
  return `[containers]
default_sysctls = []
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_backend = "cni"
network_config_dir = "${folder}/net.d"
`;
}

/** Builds the archive; its size in bytes. Throws with what a tool said. */
export function buildImage(): number {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-image-'));
  try {
    const time = commitTime();
    stageRoot(join(folder, 'root'));
    setTimes(join(folder, 'root'), time);
    writeFileSync(
      join(folder, 'Containerfile'),
      `FROM scratch\nCOPY root/ /\nENV PATH=/usr/local/bin\nENTRYPOINT ${JSON.stringify(ENTRYPOINT)}\n`,
    );
    const podman = podmanIn(folder);
    podman('build', '--isolation', 'chroot', '--timestamp', String(time), '--tag', IMAGE_NAME, folder);
    rmSync(IMAGE_FILE, { force: true });
    podman('save', '--format', 'oci-archive', '--output', IMAGE_FILE, IMAGE_NAME);
    return statSync(IMAGE_FILE).size;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The file system: Node with its libraries, the program, authorities, and the two users there are. */
function stageRoot(root: string): void {
  const put = (from: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(root, to));
  };
  put(process.execPath, ENTRYPOINT[0] as string);
  for (const library of librariesOf(process.execPath)) put(library, library);
  put(CERTIFICATES, CERTIFICATES);
  const dist = join(root, 'opt/poplin/dist');
  mkdirSync(dist, { recursive: true });
  for (const name of [...bundleFiles(), ...NATIVE]) cpSync(join(ROOT, 'dist', name), join(dist, name));
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/none\nnobody:x:65534:65534::/:/none\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  for (const name of ['tmp', 'run', 'var/lib', 'proc', 'sys'])
    mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  // Runtimes name the namespaces of pods by either path; what is mounted is /run/netns.
  symlinkSync('/run', join(root, 'var/run'));
}

/** The program and the chunks it comes to: the folder keeps those of earlier builds for a while. */
function bundleFiles(): readonly string[] {
  const found = new Set(['poplin.mjs']);
  for (const name of found) {
    const text = readFileSync(join(ROOT, 'dist', name), 'utf8');
    for (const [chunk] of text.matchAll(/poplin-chunk-\w+\.mjs/g)) found.add(chunk);
  }
  return [...found].sort();
}

/** The shared libraries of a program and its loader, as ldd finds them. */
function librariesOf(program: string): string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function setTimes(path: string, time: number): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) setTimes(inner, time);
    else lutimesSync(inner, time, time);
  }
  lutimesSync(path, time, time);
}

/** Seconds since 1970; 0 outside a checkout. */
function commitTime(): number {
  try {
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' }));
  } catch {
    return 0;
  }
}

/** podman with a store of its own, so that the machine's is left as it is. */
function podmanIn(folder: string): (...args: readonly string[]) => string {
  const config = join(folder, 'containers.conf');
  writeFileSync(config, containersConf(folder));
  const env = { ...process.env, CONTAINERS_CONF: config, TMPDIR: folder };
  const own = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  return (...args) =>
    execFileSync('podman', [...own, ...args], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
}

if (import.meta.main) {
  const bytes = buildImage();
  process.stdout.write(`${IMAGE_NAME}: ${(bytes / 2 ** 20).toFixed(1)} MiB, ${IMAGE_FILE}\n`);
}
