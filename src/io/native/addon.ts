/**
 * The typed door to dist/poplin.node: the system calls that Node lacks. It loads the addon once per thread and adds nothing to it.
 * Calls that are hot or expected to fail (send, recv and their kin) return a count or -errno; all others throw a SystemCallError.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the addon throws: `code` is the errno's name ('EEXIST'), `errno` its positive number, `syscall` the call that failed. */
export interface SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

/** A running uv_poll; kept alive by the addon until closed, and closed with the environment. */
export interface PollHandle {
  readonly __poll: never;
}

/** What a netlink exchange on the thread pool brought back. */
export interface NativeExchange {
  /** 0, or the positive errno of the send; then nothing was received. */
  readonly sendErrno: number;
  /** 0, or the positive errno that ended the receiving (EAGAIN, the normal end, is reported as 0). */
  readonly receiveErrno: number;
  /** True if the kernel reported ENOBUFS or a datagram did not fit: answers are missing. */
  readonly lost: boolean;
  /** All datagrams the kernel sent, one behind the other, each padded to 4 bytes. */
  readonly bytes: Uint8Array;
}

export interface NativeAddon {
  /** Opens a network namespace file (O_CLOEXEC); throws EINVAL if the file is not a network namespace. */
  namespaceOpen(path: string): number;
  /** Makes a fresh network namespace, returns its descriptor; the calling thread is back in its own when this returns. */
  namespaceCreate(): number;
  /** The descriptor of the network namespace a socket lives in (SIOCGSKNS). */
  namespaceOfSocket(fd: number): number;
  /** Enters the namespace, calls back, returns to the former one (or aborts the process) and returns what the callback returned. */
  runInNamespace<T>(namespaceFd: number, callback: () => T): T;
  bindMount(source: string, target: string): void;
  /** Marks the mount at `target` as shared (MS_SHARED | MS_REC); EINVAL if it is not a mount point. */
  makeMountShared(target: string): void;
  /** Lazy unmount (MNT_DETACH); EINVAL if nothing is mounted there. */
  unmount(target: string): void;
  /** The root of a procfs of our own that is mounted nowhere, until it is closed; throws ENOSYS before Linux 5.2, EPERM. */
  procOpen(): number;

  /**
   * The text of a small file (at most 128 KiB), or -errno; the path is relative to the folder of a descriptor, or absolute. A file of the
   * kernel: nothing waits.
   */
  readFileAt(folderFd: number, path: string): string | number;
  /** One write to a file that is there; 0 or -errno. */
  writeFileAt(folderFd: number, path: string, text: Uint8Array): number;
  /** Gives a file that was opened with O_TMPFILE a name; 0 or -errno: EEXIST where there is one. */
  nameFile(fd: number, path: string): number;

  /** A close-on-exec socket, made inside the namespace if one is given. */
  socket(domain: number, type: number, protocol: number, namespaceFd?: number): number;
  /** `address` is a raw sockaddr, family first. */
  bind(fd: number, address: Uint8Array): void;
  connect(fd: number, address: Uint8Array): void;
  listen(fd: number, backlog: number): void;
  /** A close-on-exec descriptor that does not block, or -errno; the peer's sockaddr is written to `address`, the rest of which is zeroed. */
  accept(fd: number, address: Uint8Array): number;
  getsockname(fd: number): Uint8Array;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): void;
  /** At most `maxBytes` of the option's value. */
  getsockopt(fd: number, level: number, name: number, maxBytes: number): Uint8Array;
  /** Attaches a classic BPF program, struct sock_filter one behind the other, which decides what the socket receives. */
  attachFilter(fd: number, program: Uint8Array): void;
  close(fd: number): void;
  /** ioctl with a buffer of at least 40 bytes (an ifreq) that is read and written; returns the call's result. Not SIOCETHTOOL. */
  ioctl(fd: number, request: number, buffer: Uint8Array): number;
  /** ioctl with a number of 32 bits in place of a buffer. TUNSETPERSIST, TUNSETOWNER and TUNSETGROUP only; a TypeError for others. */
  ioctlNumber(fd: number, request: number, value: number): number;
  /** SIOCETHTOOL on an interface; `command` is the ethtool structure, read and written. Fixed-size commands only. */
  ethtool(fd: number, interfaceName: string, command: Uint8Array): void;

  /** Bytes sent or -errno. */
  send(fd: number, bytes: Uint8Array, flags: number): number;
  sendto(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number;
  /** Bytes received or -errno; with MSG_TRUNC in flags the datagram's full length. */
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /** As recv; the sender's sockaddr is written to `address`, the rest of which is zeroed. */
  recvfrom(fd: number, buffer: Uint8Array, flags: number, address: Uint8Array): number;
  /** Messages sent (each element one datagram, at most 1024) or -errno. */
  sendmmsg(fd: number, datagrams: readonly Uint8Array[], flags: number): number;
  /**
   * Receives up to lengths.length (at most 1024) datagrams; number n lies at n * sliceBytes of `buffer` and is lengths[n] long.
   * With MSG_TRUNC in flags a length greater than sliceBytes tells that a datagram was cut. Returns their number or -errno.
   * `addresses`, if given, is split evenly and receives each sender's sockaddr.
   */
  recvmmsg(
    fd: number,
    buffer: Uint8Array,
    sliceBytes: number,
    lengths: Int32Array,
    flags: number,
    addresses?: Uint8Array,
  ): number;
  /** Sends one netlink request and receives all that the kernel queued in answer, on the libuv thread pool. `request` is copied. */
  netlinkExchange(fd: number, request: Uint8Array): Promise<NativeExchange>;

  /** Watches a descriptor; `events` as in uv_poll: 1 readable, 2 writable, 4 disconnect. Status is 0 or a negative errno. */
  pollStart(fd: number, events: number, callback: (status: number, events: number) => void): PollHandle;
  pollRef(handle: PollHandle): void;
  pollUnref(handle: PollHandle): void;
  /** Stops and frees the watch; harmless if repeated. Close the descriptor only after this. */
  pollClose(handle: PollHandle): void;

  /** Gives back to the system what malloc keeps of memory that was freed (malloc_trim); some milliseconds. */
  trimMemory(): void;
  /** From now on malloc's blocks of 128 KB and more are mappings of their own, whatever is freed. */
  mapLargeBlocks(): void;
  /** Unmaps the pages of the program and its libraries until they are asked for again; some milliseconds. */
  releaseProgram(): void;
}

let loaded: NativeAddon | undefined;

/** The addon; loads it at the first call. Throws an Error that says how to build it if it is missing. */
export function nativeAddon(): NativeAddon {
  loaded ??= loadAddon(addonPath());
  return loaded;
}

/** Where the addon is looked for: POPLIN_ADDON, beside the bundle, or dist/ of the source tree. */
export function addonPath(): string {
  const override = process.env['POPLIN_ADDON'];
  if (override !== undefined && override !== '') return override;
  const place = import.meta.url.endsWith('.ts') ? '../../../dist/poplin.node' : './poplin.node';
  return fileURLToPath(new URL(place, import.meta.url));
}

function loadAddon(path: string): NativeAddon {
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `native addon ${path} cannot be loaded: ${reason}; build it with \`node tools/build-native.mjs\` or set POPLIN_ADDON`,
      { cause },
    );
  }
}
