/*
 * Small files read and written in one call: sysctls, of which attaching a pod touches a dozen. Node's own way costs a few microseconds
 * more for each system call, and an Error object where there is no such file.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The longest sysctl, a list of ports, is shorter. */
#define MAX_FILE_BYTES (128 * 1024)

static bool get_place(napi_env env, const struct arguments *arguments, int *directory, char path[PATH_MAX]) {
  return get_int(env, arguments->value[0], "directory", directory) &&
         get_text(env, arguments->value[1], "path", path, PATH_MAX);
}

static ssize_t read_all(int fd, char *at, size_t size) {
  size_t total = 0;
  for (;;) {
    ssize_t got;
    UNINTERRUPTED(got, read(fd, at + total, size - total));
    if (got < 0) return -errno;
    if (got == 0) return (ssize_t)total;
    total += (size_t)got;
    if (total == size) return -EFBIG;
  }
}

static napi_value read_file_at(napi_env env, napi_callback_info info) {
  char text[MAX_FILE_BYTES];
  struct arguments arguments;
  char path[PATH_MAX];
  int directory;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_place(env, &arguments, &directory, path)) return NULL;
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return make_number(env, -errno);
  ssize_t length = read_all(fd, text, sizeof(text));
  close(fd);
  if (length < 0) return make_number(env, length);
  napi_value value;
  return napi_create_string_utf8(env, text, (size_t)length, &value) == napi_ok ? value : throw_napi(env);
}

/* Neither O_CREAT nor O_TRUNC: a key that is absent is ENOENT, and one write is one value. */
static napi_value write_file_at(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char path[PATH_MAX];
  int directory;
  struct bytes text;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_place(env, &arguments, &directory, path)) return NULL;
  if (!get_bytes(env, arguments.value[2], "text", &text)) return NULL;
  int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return make_number(env, -errno);
  ssize_t written;
  UNINTERRUPTED(written, write(fd, text.at, text.length));
  int error = written < 0 ? errno : 0;
  close(fd);
  return make_number(env, -error);
}

static napi_value name_file(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  char path[PATH_MAX], own[64];
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_text(env, arguments.value[1], "path", path, sizeof(path))) return NULL;
  /* By AT_EMPTY_PATH only who may read all files could do it. */
  snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
  return make_number(env, linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno);
}

napi_status file_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {
      {"readFileAt", read_file_at},
      {"writeFileAt", write_file_at},
      {"nameFile", name_file},
  };
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
