/*
 * Readiness of a descriptor by uv_poll. The watch keeps itself alive until it is closed, whatever the collector does with the
 * JavaScript object; its memory is freed when both the object and the uv handle are gone. A pending socket error (EPOLLERR) comes
 * as a negative status, once: uv has stopped by then, and the watch starts again after the callback, which should have taken the error.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <uv.h>

struct watch {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  int events;
  bool closing;
  bool closed;
  bool collected;
};

static const napi_type_tag WATCH_TAG = {0x7c1d0b6e5a2f4e93ULL, 0x9b0f6c3d2e8a4715ULL};

static void on_closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  watch->closed = true;
  if (watch->hook != NULL) napi_remove_async_cleanup_hook(watch->hook);
  watch->hook = NULL;
  if (watch->collected) free(watch);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct watch *watch = data;
  watch->collected = true;
  if (watch->closed) free(watch);
}

static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  struct watch *watch = data;
  if (watch->closing) return;
  watch->closing = true;
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  struct watch *watch = poll->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  if (watch->closing || napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, receiver, result, thrown;
  napi_value values[2];
  if (napi_get_reference_value(env, watch->callback, &callback) == napi_ok && callback != NULL &&
      napi_get_global(env, &receiver) == napi_ok && napi_create_int32(env, status, &values[0]) == napi_ok &&
      napi_create_int32(env, events, &values[1]) == napi_ok) {
    napi_status called = napi_make_callback(env, watch->context, receiver, callback, 2, values, &result);
    if (called == napi_pending_exception && napi_get_and_clear_last_exception(env, &thrown) == napi_ok)
      napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
  if (status < 0 && !watch->closing) uv_poll_start(poll, watch->events, on_ready);
}

static struct watch *get_watch(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  bool is_watch = false;
  void *data = NULL;
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (napi_check_object_type_tag(env, arguments.value[0], &WATCH_TAG, &is_watch) != napi_ok || !is_watch ||
      napi_unwrap(env, arguments.value[0], &data) != napi_ok) {
    throw_argument(env, "handle", "one that pollStart returned");
    return NULL;
  }
  return data;
}

/* Everything but the uv handle; undone by close_watch. */
static bool prepare_watch(napi_env env, napi_value callback, struct watch *watch) {
  napi_value name;
  return napi_create_string_utf8(env, "poplin:poll", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, NULL, name, &watch->context) == napi_ok &&
         napi_create_reference(env, callback, 1, &watch->callback) == napi_ok &&
         napi_add_async_cleanup_hook(env, on_environment_end, watch, &watch->hook) == napi_ok;
}

static void close_watch(struct watch *watch) {
  if (watch->closing) return;
  watch->closing = true;
  napi_delete_reference(watch->env, watch->callback);
  napi_async_destroy(watch->env, watch->context);
  uv_close((uv_handle_t *)&watch->poll, on_closed);
}

static napi_value poll_start(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int64_t events;
  int fd;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_integer(env, arguments.value[1], "events", 1, 15, &events)) return NULL;
  if (!get_function(env, arguments.value[2], "callback")) return NULL;
  uv_loop_t *loop;
  napi_value object;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_create_object(env, &object) != napi_ok)
    return throw_napi(env);
  struct watch *watch = calloc(1, sizeof(*watch));
  if (watch == NULL) return throw_errno(env, ENOMEM, "calloc", NULL);
  watch->env = env;
  watch->events = (int)events;
  int error = uv_poll_init(loop, &watch->poll, fd);
  if (error != 0) {
    free(watch);
    return throw_errno(env, -error, "uv_poll_init", NULL);
  }
  watch->poll.data = watch;
  if (napi_wrap(env, object, watch, on_collected, NULL, NULL) != napi_ok ||
      napi_type_tag_object(env, object, &WATCH_TAG) != napi_ok ||
      !prepare_watch(env, arguments.value[2], watch)) {
    /* Out of memory inside the engine: the process is about to end, so the little that was prepared may leak. */
    watch->closing = true;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    return throw_napi(env);
  }
  error = uv_poll_start(&watch->poll, watch->events, on_ready);
  if (error != 0) {
    close_watch(watch);
    return throw_errno(env, -error, "uv_poll_start", NULL);
  }
  return object;
}

static napi_value poll_ref(napi_env env, napi_callback_info info) {
  struct watch *watch = get_watch(env, info);
  if (watch == NULL) return NULL;
  if (!watch->closing) uv_ref((uv_handle_t *)&watch->poll);
  return make_undefined(env);
}

static napi_value poll_unref(napi_env env, napi_callback_info info) {
  struct watch *watch = get_watch(env, info);
  if (watch == NULL) return NULL;
  if (!watch->closing) uv_unref((uv_handle_t *)&watch->poll);
  return make_undefined(env);
}

static napi_value poll_close(napi_env env, napi_callback_info info) {
  struct watch *watch = get_watch(env, info);
  if (watch == NULL) return NULL;
  close_watch(watch);
  return make_undefined(env);
}

napi_status poll_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {
      {"pollStart", poll_start},
      {"pollRef", poll_ref},
      {"pollUnref", poll_unref},
      {"pollClose", poll_close},
  };
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
