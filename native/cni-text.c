/*
 * Text without stdio: what goes to a descriptor, what is put together in a buffer, and what errors are called.
 */
#include "cni-client.h"

#include <errno.h>
#include <string.h>

bool flush(struct output *to) {
  if (to->length > 0 && !write_all(to->fd, to->bytes, to->length)) to->failed = true;
  to->length = 0;
  return !to->failed;
}

void put_char(struct output *to, char character) {
  if (to->length == sizeof(to->bytes)) flush(to);
  to->bytes[to->length++] = character;
}

void put(struct output *to, const char *text) {
  for (; *text != '\0'; text++) put_char(to, *text);
}

const char *join(char *out, size_t size, const char *const texts[]) {
  size_t length = 0;
  for (; *texts != NULL; texts++) {
    for (const char *at = *texts; *at != '\0' && length + 1 < size; at++) out[length++] = *at;
  }
  out[length] = '\0';
  return out;
}

const char *digits(char out[24], uint64_t number, int width) {
  char reversed[20];
  int count = 0;
  do {
    reversed[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0 || count < width);
  for (int i = 0; i < count; i++) out[i] = reversed[count - 1 - i];
  out[count] = '\0';
  return out;
}

/* Those of files, folders and unix sockets, in the words of the C library. */
static const struct {
  int error;
  const char *text;
} ERRORS[] = {
    {EPERM, "Operation not permitted"},
    {ENOENT, "No such file or directory"},
    {EINTR, "Interrupted system call"},
    {EIO, "Input/output error"},
    {EBADF, "Bad file descriptor"},
    {EAGAIN, "Resource temporarily unavailable"},
    {ENOMEM, "Cannot allocate memory"},
    {EACCES, "Permission denied"},
    {EEXIST, "File exists"},
    {ENOTDIR, "Not a directory"},
    {EISDIR, "Is a directory"},
    {EINVAL, "Invalid argument"},
    {ENFILE, "Too many open files in system"},
    {EMFILE, "Too many open files"},
    {EFBIG, "File too large"},
    {ENOSPC, "No space left on device"},
    {EROFS, "Read-only file system"},
    {EPIPE, "Broken pipe"},
    {ENAMETOOLONG, "File name too long"},
    {ELOOP, "Too many levels of symbolic links"},
    {EPROTOTYPE, "Protocol wrong type for socket"},
    {ECONNRESET, "Connection reset by peer"},
    {ENOBUFS, "No buffer space available"},
    {ETIMEDOUT, "Connection timed out"},
    {ECONNREFUSED, "Connection refused"},
    {ESTALE, "Stale file handle"},
    {EDQUOT, "Disk quota exceeded"},
};

const char *describe(char *out, size_t size, const char *what, const char *subject, int error) {
  char number[24];
  const char *text = NULL;
  for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
    if (ERRORS[i].error == error) text = ERRORS[i].text;
  const char *const texts[] = {what,
                               subject == NULL ? "" : " ",
                               subject == NULL ? "" : subject,
                               ": ",
                               text == NULL ? "error " : text,
                               text == NULL ? digits(number, (uint64_t)error, 1) : "",
                               NULL};
  return join(out, size, texts);
}
