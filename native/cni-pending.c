/*
 * Deletions that wait for the agent: one file each, named by its time so that they sort in order. A file appears whole or not at
 * all (temporary file, fsync, rename, fsync of the folder) and is on the disk when the client reports success.
 */
#define _GNU_SOURCE
#include "cni-client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char problem_text[256];

static const char *problem_with(const char *what) {
  return describe(problem_text, sizeof(problem_text), what, NULL, errno);
}

static bool sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  bool synced = fsync(fd) == 0;
  int error = errno;
  close(fd);
  errno = error;
  return synced;
}

/* Like mkdir -p. A new folder's entry is made durable in its parent. */
static bool make_folders(const char *path) {
  char prefix[PATH_MAX];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof(prefix)) {
    errno = length == 0 ? ENOENT : ENAMETOOLONG;
    return false;
  }
  for (size_t i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    memcpy(prefix, path, i);
    prefix[i] = '\0';
    if (mkdir(prefix, 0700) != 0) {
      if (errno != EEXIST) return false;
      continue;
    }
    char *slash = strrchr(prefix, '/');
    if (slash == NULL) strcpy(prefix, ".");
    else slash[slash == prefix ? 1 : 0] = '\0';
    if (!sync_folder(prefix)) return false;
  }
  return true;
}

static const char *write_file(int folder_fd, const char *temporary, const struct frame *frame) {
  int fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return problem_with("create file");
  const char *problem = NULL;
  if (!write_all(fd, frame->bytes, frame->length)) problem = problem_with("write file");
  else if (fsync(fd) != 0) problem = problem_with("fsync file");
  if (close(fd) != 0 && problem == NULL) problem = problem_with("close file");
  return problem;
}

const char *pending_record(const char *folder, const struct frame *frame, char *name, size_t name_size) {
  struct timespec now;
  char temporary[80];
  clock_gettime(CLOCK_REALTIME, &now);
  char seconds[24], nanoseconds[24], process[24];
  join(name, name_size,
       (const char *const[]){digits(seconds, (uint64_t)now.tv_sec, 11), ".",
                             digits(nanoseconds, (uint64_t)now.tv_nsec, 9), "-",
                             digits(process, (uint64_t)getpid(), 1), ".frame", NULL});
  join(temporary, sizeof(temporary), (const char *const[]){".", name, ".tmp", NULL});
  if (!make_folders(folder)) return problem_with("create folder");
  int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd < 0) return problem_with("open folder");
  const char *problem = write_file(folder_fd, temporary, frame);
  if (problem == NULL && renameat(folder_fd, temporary, folder_fd, name) != 0) problem = problem_with("rename file");
  if (problem != NULL) unlinkat(folder_fd, temporary, 0);
  if (problem == NULL && fsync(folder_fd) != 0) problem = problem_with("fsync folder");
  close(folder_fd);
  return problem;
}
