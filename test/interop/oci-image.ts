/**
 * A container image without a registry: one layer with busybox, as a tar archive of an OCI image layout (image-spec 1.0), which
 * containerd and podman both import.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { type TarEntry, tar } from './tar.ts';

export const IMAGE = 'docker.io/poplin/busybox:1';
const BUSYBOX = '/bin/busybox';
const APPLETS = ['sh', 'sleep', 'ip', 'ping'];
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** The archive of IMAGE, whose command sleeps until it is ended. */
export function busyboxImage(): Uint8Array {
  const blobs: TarEntry[] = [];
  const add = (mediaType: string, content: Uint8Array | object): Descriptor => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    const hash = sha256(bytes);
    blobs.push({ kind: 'file', path: `blobs/sha256/${hash}`, bytes });
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const root = tar(rootFiles());
  const layer = add('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(root, { level: 1 }));
  const platform = { architecture: ARCHITECTURES[process.arch] ?? process.arch, os: 'linux' };
  const config = add('application/vnd.oci.image.config.v1+json', {
    ...platform,
    config: { Cmd: ['/bin/sleep', 'infinity'], Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(root)}`] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = add(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] });
  const annotations = { 'io.containerd.image.name': IMAGE, 'org.opencontainers.image.ref.name': IMAGE };
  const text = (path: string, json: object): TarEntry => {
    return { kind: 'file', path, bytes: Buffer.from(JSON.stringify(json)) };
  };
  return tar([
    text('oci-layout', { imageLayoutVersion: '1.0.0' }),
    text('index.json', { schemaVersion: 2, manifests: [{ ...manifest, annotations, platform }] }),
    ...blobs,
  ]);
}

function rootFiles(): TarEntry[] {
  const folders = ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'];
  return [
    ...folders.map((path): TarEntry => ({ kind: 'folder', path: `${path}/` })),
    { kind: 'file', path: 'bin/busybox', bytes: readFileSync(BUSYBOX), executable: true },
    ...APPLETS.map((name): TarEntry => ({ kind: 'link', path: `bin/${name}`, target: 'busybox' })),
  ];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
