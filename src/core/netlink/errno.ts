/**
 * Linux errno values that netlink families, sockets and /proc/sys answer with: number, name and text.
 * Source: include/uapi/asm-generic/errno.h; the texts are ours.
 */

const ERRNOS: readonly (readonly [errno: number, name: string, text: string])[] = [
  [1, 'EPERM', 'operation not permitted'],
  [2, 'ENOENT', 'no such object'],
  [3, 'ESRCH', 'no such entry'],
  [4, 'EINTR', 'interrupted'],
  [5, 'EIO', 'input/output error'],
  [6, 'ENXIO', 'no such device or address'],
  [7, 'E2BIG', 'message too big'],
  [9, 'EBADF', 'bad file descriptor'],
  [10, 'ECHILD', 'no child process'],
  [11, 'EAGAIN', 'try again'],
  [12, 'ENOMEM', 'out of memory'],
  [13, 'EACCES', 'permission denied'],
  [14, 'EFAULT', 'bad address'],
  [16, 'EBUSY', 'device or resource busy'],
  [17, 'EEXIST', 'exists already'],
  [18, 'EXDEV', 'in another namespace or device'],
  [19, 'ENODEV', 'no such device'],
  [20, 'ENOTDIR', 'not a directory'],
  [21, 'EISDIR', 'is a directory'],
  [22, 'EINVAL', 'invalid argument'],
  [23, 'ENFILE', 'too many open files in the system'],
  [24, 'EMFILE', 'too many open files'],
  [25, 'ENOTTY', 'not a terminal'],
  [27, 'EFBIG', 'too large'],
  [28, 'ENOSPC', 'no space left'],
  [30, 'EROFS', 'read-only file system'],
  [31, 'EMLINK', 'too many links'],
  [32, 'EPIPE', 'broken pipe'],
  [33, 'EDOM', 'argument out of domain'],
  [34, 'ERANGE', 'out of range'],
  [35, 'EDEADLK', 'deadlock avoided'],
  [36, 'ENAMETOOLONG', 'name too long'],
  [38, 'ENOSYS', 'not implemented by this kernel'],
  [39, 'ENOTEMPTY', 'not empty'],
  [40, 'ELOOP', 'too many levels, or a loop'],
  [42, 'ENOMSG', 'no message of the desired type'],
  [61, 'ENODATA', 'no data available'],
  [62, 'ETIME', 'timer expired'],
  [71, 'EPROTO', 'protocol error'],
  [74, 'EBADMSG', 'bad message'],
  [75, 'EOVERFLOW', 'value too large'],
  [76, 'ENOTUNIQ', 'name not unique'],
  [77, 'EBADFD', 'descriptor in bad state'],
  [84, 'EILSEQ', 'illegal byte sequence'],
  [85, 'ERESTART', 'interrupted by another change'],
  [88, 'ENOTSOCK', 'not a socket'],
  [89, 'EDESTADDRREQ', 'destination address required'],
  [90, 'EMSGSIZE', 'message too long'],
  [91, 'EPROTOTYPE', 'protocol wrong for this socket'],
  [92, 'ENOPROTOOPT', 'no such socket option'],
  [93, 'EPROTONOSUPPORT', 'protocol not supported'],
  [94, 'ESOCKTNOSUPPORT', 'socket type not supported'],
  [95, 'EOPNOTSUPP', 'operation not supported'],
  [96, 'EPFNOSUPPORT', 'protocol family not supported'],
  [97, 'EAFNOSUPPORT', 'address family not supported'],
  [98, 'EADDRINUSE', 'address in use'],
  [99, 'EADDRNOTAVAIL', 'address not available'],
  [100, 'ENETDOWN', 'network is down'],
  [101, 'ENETUNREACH', 'network is unreachable'],
  [103, 'ECONNABORTED', 'connection aborted'],
  [104, 'ECONNRESET', 'connection reset'],
  [105, 'ENOBUFS', 'no buffer space left'],
  [106, 'EISCONN', 'connected already'],
  [107, 'ENOTCONN', 'not connected'],
  [108, 'ESHUTDOWN', 'shut down already'],
  [110, 'ETIMEDOUT', 'timed out'],
  [111, 'ECONNREFUSED', 'connection refused'],
  [112, 'EHOSTDOWN', 'host is down'],
  [113, 'EHOSTUNREACH', 'host unreachable'],
  [114, 'EALREADY', 'in progress already'],
  [115, 'EINPROGRESS', 'in progress'],
  [116, 'ESTALE', 'stale handle'],
  [117, 'EUCLEAN', 'structure needs cleaning'],
  [122, 'EDQUOT', 'quota exceeded'],
  [125, 'ECANCELED', 'cancelled'],
  [126, 'ENOKEY', 'no such key'],
  [524, 'ENOTSUPP', 'operation not supported'],
];

const NAMES = new Map(ERRNOS.map(([errno, name]) => [errno, name]));
const TEXTS = new Map(ERRNOS.map(([, name, text]) => [name, text]));

/** `EEXIST` for 17; `errno 999` for a number without a name. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** What an errno's name means: `no such device` for ENODEV; of a name that is not known, the name. */
export function errnoText(name: string): string {
  return TEXTS.get(name) ?? name;
}
