/*
 * What the parts of the addon share: argument checks, errors, and the table of functions each part exports.
 * Every check leaves a JavaScript exception pending and returns false; the caller then returns NULL at once.
 */
#ifndef POPLIN_ADDON_H
#define POPLIN_ADDON_H

#define NAPI_VERSION 8
#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGUMENTS 6
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* Makes a system call until no signal interrupts it. */
#define UNINTERRUPTED(result, call)                                                                                    \
  do {                                                                                                                 \
    (result) = (call);                                                                                                 \
  } while ((result) < 0 && errno == EINTR)

struct function_row {
  const char *name;
  napi_callback function;
};

/* A Uint8Array's memory: valid until the function returns to JavaScript. */
struct bytes {
  uint8_t *at;
  size_t length;
};

struct arguments {
  napi_value value[MAX_ARGUMENTS];
  size_t count;
};

bool get_arguments(napi_env env, napi_callback_info info, size_t at_least, struct arguments *out);
bool get_integer(napi_env env, napi_value value, const char *what, int64_t low, int64_t high, int64_t *out);
bool get_int(napi_env env, napi_value value, const char *what, int *out);
bool get_descriptor(napi_env env, napi_value value, int *out);
bool get_bytes(napi_env env, napi_value value, const char *what, struct bytes *out);
/* At most `size` - 1 bytes, without NUL inside. */
bool get_text(napi_env env, napi_value value, const char *what, char *out, size_t size);
bool get_function(napi_env env, napi_value value, const char *what);
bool is_given(napi_env env, const struct arguments *arguments, size_t index);

napi_value throw_argument(napi_env env, const char *what, const char *wanted);
/* Throws a SystemCallError; `subject` (a path or NULL) goes into the text. */
napi_value throw_errno(napi_env env, int error, const char *syscall, const char *subject);
/* Throws for a failed N-API call unless an exception is pending already. */
napi_value throw_napi(napi_env env);

napi_value make_number(napi_env env, int64_t number);
napi_value make_undefined(napi_env env);
napi_value make_bytes(napi_env env, const void *from, size_t length);

/* Enters a network namespace; returns the descriptor of the former one, or -1 with errno set. */
int namespace_enter(int namespace_fd);
/* Returns to the former namespace and closes its descriptor. Aborts the process if that fails; keeps errno. */
void namespace_leave(int former_fd);

napi_status export_functions(napi_env env, napi_value exports, const struct function_row *rows, size_t count);
napi_status namespace_init(napi_env env, napi_value exports);
napi_status socket_init(napi_env env, napi_value exports);
napi_status batch_init(napi_env env, napi_value exports);
napi_status poll_init(napi_env env, napi_value exports);
napi_status exchange_init(napi_env env, napi_value exports);
napi_status memory_init(napi_env env, napi_value exports);

#endif
