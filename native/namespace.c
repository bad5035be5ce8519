/*
 * Network namespaces and the mounts that keep them alive. A namespace belongs to a thread, so every switch here ends in the same
 * C call; a thread that could not return would do its later work in a pod's network, hence abort().
 */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NSFS_MAGIC 0x6e736673
#define OWN_NAMESPACE "/proc/thread-self/ns/net"
#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

int namespace_enter(int namespace_fd) {
  int former = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  if (former < 0) return -1;
  if (setns(namespace_fd, CLONE_NEWNET) == 0) return former;
  int error = errno;
  close(former);
  errno = error;
  return -1;
}

void namespace_leave(int former_fd) {
  int error = errno;
  if (setns(former_fd, CLONE_NEWNET) != 0) {
    perror("poplin: cannot return to the former network namespace");
    abort();
  }
  close(former_fd);
  errno = error;
}

/* O_NONBLOCK: a FIFO put in the place of a namespace must not block us. */
static napi_value namespace_open(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char path[PATH_MAX];
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_text(env, arguments.value[0], "path", path, sizeof(path))) return NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return throw_errno(env, errno, "open", path);
  struct statfs filesystem;
  if (fstatfs(fd, &filesystem) != 0 || filesystem.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
    close(fd);
    return throw_errno(env, EINVAL, "open", path);
  }
  return make_number(env, fd);
}

static napi_value namespace_create(napi_env env, napi_callback_info info) {
  (void)info;
  int former = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  if (former < 0) return throw_errno(env, errno, "open", OWN_NAMESPACE);
  if (unshare(CLONE_NEWNET) != 0) {
    int error = errno;
    close(former);
    return throw_errno(env, error, "unshare", "network namespace");
  }
  int fd = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
  namespace_leave(former);
  return fd < 0 ? throw_errno(env, errno, "open", OWN_NAMESPACE) : make_number(env, fd);
}

static napi_value namespace_of_socket(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int socket_fd;
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &socket_fd)) return NULL;
  int fd = ioctl(socket_fd, SIOCGSKNS);
  return fd < 0 ? throw_errno(env, errno, "ioctl", "SIOCGSKNS") : make_number(env, fd);
}

/* An exception of the callback stays pending; the way back is C alone. */
static napi_value run_in_namespace(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_function(env, arguments.value[1], "callback")) return NULL;
  napi_value receiver = make_undefined(env);
  if (receiver == NULL) return NULL;
  int former = namespace_enter(fd);
  if (former < 0) return throw_errno(env, errno, "setns", NULL);
  napi_value result = NULL;
  napi_status status = napi_call_function(env, receiver, arguments.value[1], 0, NULL, &result);
  namespace_leave(former);
  return status == napi_ok ? result : throw_napi(env);
}

static napi_value bind_mount(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char source[PATH_MAX], target[PATH_MAX];
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_text(env, arguments.value[0], "source", source, sizeof(source))) return NULL;
  if (!get_text(env, arguments.value[1], "target", target, sizeof(target))) return NULL;
  if (mount(source, target, "none", MS_BIND | MS_REC, NULL) != 0) return throw_errno(env, errno, "mount", target);
  return make_undefined(env);
}

static napi_value make_mount_shared(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char target[PATH_MAX];
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_text(env, arguments.value[0], "target", target, sizeof(target))) return NULL;
  if (mount("", target, "none", MS_SHARED | MS_REC, NULL) != 0) return throw_errno(env, errno, "mount", target);
  return make_undefined(env);
}

static napi_value unmount(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char target[PATH_MAX];
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_text(env, arguments.value[0], "target", target, sizeof(target))) return NULL;
  if (umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) != 0) return throw_errno(env, errno, "umount2", target);
  return make_undefined(env);
}

/* The descriptor of the root of a procfs of our own, mounted nowhere (fsopen and its like, Linux 5.2). Headers of 2021 lack the names. */
static napi_value proc_open(napi_env env, napi_callback_info info) {
  enum { OPEN_CLOEXEC = 1, MOUNT_CLOEXEC = 1, COMMAND_CREATE = 6 };
  (void)info;
  int context = (int)syscall(SYS_fsopen, "proc", OPEN_CLOEXEC);
  if (context < 0) return throw_errno(env, errno, "fsopen", "proc");
  int fd = -1;
  if (syscall(SYS_fsconfig, context, COMMAND_CREATE, NULL, NULL, 0) == 0)
    fd = (int)syscall(SYS_fsmount, context, MOUNT_CLOEXEC, 0);
  int error = errno;
  close(context);
  return fd < 0 ? throw_errno(env, error, "fsmount", "proc") : make_number(env, fd);
}

napi_status namespace_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {
      {"namespaceOpen", namespace_open},
      {"namespaceCreate", namespace_create},
      {"namespaceOfSocket", namespace_of_socket},
      {"runInNamespace", run_in_namespace},
      {"bindMount", bind_mount},
      {"makeMountShared", make_mount_shared},
      {"unmount", unmount},
      {"procOpen", proc_open},
  };
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
