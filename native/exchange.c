/*
 * A netlink request and all its answers on the libuv thread pool. The kernel does the work inside send() and queues the answers
 * before send() returns (a dump goes on inside recv()), so receiving until EAGAIN is complete and never waits.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_REQUEST_BYTES ((size_t)1 << 30)
#define MAX_ANSWER_BYTES ((size_t)1 << 30)
#define FIRST_BUFFER_BYTES ((size_t)512 * 1024)
/* Room kept free for one datagram; the kernel's dumps come in pieces of at most 32 KiB, single answers in less than this. */
#define DATAGRAM_BYTES ((size_t)256 * 1024)

struct exchange {
  napi_async_work work;
  napi_deferred deferred;
  int fd;
  int send_error;
  int receive_error;
  bool lost;
  uint8_t *request;
  size_t request_length;
  uint8_t *answer;
  size_t answer_length;
  size_t answer_size;
};

static bool make_room(struct exchange *job) {
  if (job->answer_size - job->answer_length >= DATAGRAM_BYTES) return true;
  size_t size = job->answer_size == 0 ? FIRST_BUFFER_BYTES : job->answer_size * 2;
  if (size > MAX_ANSWER_BYTES) {
    job->receive_error = EMSGSIZE;
    return false;
  }
  uint8_t *grown = realloc(job->answer, size);
  if (grown == NULL) {
    job->receive_error = ENOMEM;
    return false;
  }
  job->answer = grown;
  job->answer_size = size;
  return true;
}

/* One datagram; false when there is no more to come. Only what the kernel itself (port 0) sent is kept. */
static bool receive_datagram(struct exchange *job) {
  struct sockaddr_nl from = {0};
  socklen_t from_length = sizeof(from);
  size_t room = job->answer_size - job->answer_length;
  uint8_t *at = job->answer + job->answer_length;
  ssize_t received =
      recvfrom(job->fd, at, room, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_length);
  if (received < 0) {
    if (errno == EINTR) return true;
    if (errno == ENOBUFS) {
      job->lost = true;
      return true;
    }
    job->receive_error = errno == EAGAIN ? 0 : errno;
    return false;
  }
  if (from.nl_pid != 0) return true;
  if ((size_t)received > room) {
    job->lost = true;
    return true;
  }
  size_t padded = NLMSG_ALIGN((size_t)received);
  memset(at + received, 0, padded - (size_t)received);
  job->answer_length += padded;
  return true;
}

static void run(napi_env env, void *data) {
  (void)env;
  struct exchange *job = data;
  ssize_t sent;
  UNINTERRUPTED(sent, send(job->fd, job->request, job->request_length, MSG_NOSIGNAL));
  if (sent < 0) {
    job->send_error = errno;
    return;
  }
  while (make_room(job) && receive_datagram(job)) continue;
}

static void release(napi_env env, struct exchange *job) {
  if (job->work != NULL) napi_delete_async_work(env, job->work);
  free(job->request);
  free(job->answer);
  free(job);
}

static bool set_property(napi_env env, napi_value object, const char *name, napi_value value) {
  return value != NULL && napi_set_named_property(env, object, name, value) == napi_ok;
}

static void finish(napi_env env, napi_status status, void *data) {
  struct exchange *job = data;
  napi_value result, lost, thrown, text;
  if (status == napi_ok && napi_create_object(env, &result) == napi_ok &&
      set_property(env, result, "sendErrno", make_number(env, job->send_error)) &&
      set_property(env, result, "receiveErrno", make_number(env, job->receive_error)) &&
      napi_get_boolean(env, job->lost, &lost) == napi_ok && set_property(env, result, "lost", lost) &&
      set_property(env, result, "bytes", make_bytes(env, job->answer, job->answer_length))) {
    napi_resolve_deferred(env, job->deferred, result);
  } else if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok &&
             napi_create_string_utf8(env, "netlink exchange was cancelled", NAPI_AUTO_LENGTH, &text) == napi_ok &&
             napi_create_error(env, NULL, text, &thrown) == napi_ok) {
    napi_reject_deferred(env, job->deferred, thrown);
  }
  release(env, job);
}

static napi_value netlink_exchange(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes request;
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_bytes(env, arguments.value[1], "request", &request)) return NULL;
  if (request.length < sizeof(struct nlmsghdr) || request.length > MAX_REQUEST_BYTES)
    return throw_argument(env, "request", "16 bytes to 1 GiB long");
  struct exchange *job = calloc(1, sizeof(*job));
  if (job != NULL) job->request = malloc(request.length);
  if (job == NULL || job->request == NULL) {
    free(job);
    return throw_errno(env, ENOMEM, "malloc", NULL);
  }
  job->fd = fd;
  job->request_length = request.length;
  memcpy(job->request, request.at, request.length);
  napi_value name, promise;
  if (napi_create_string_utf8(env, "poplin:netlink", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, run, finish, job, &job->work) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    release(env, job);
    return throw_napi(env);
  }
  return promise;
}

static void do_nothing(napi_env env, void *data) {
  (void)env;
  (void)data;
}

static void drop_work(napi_env env, napi_status status, void *data) {
  (void)status;
  napi_async_work *work = data;
  napi_delete_async_work(env, *work);
  free(work);
}

/* The pool's threads inherit the namespace of the thread that starts them: start them now, in our own. */
static void start_thread_pool(napi_env env) {
  napi_value name;
  napi_async_work *work = calloc(1, sizeof(*work));
  if (work == NULL) return;
  if (napi_create_string_utf8(env, "poplin:start", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, do_nothing, drop_work, work, work) != napi_ok) {
    free(work);
    return;
  }
  if (napi_queue_async_work(env, *work) != napi_ok) drop_work(env, napi_ok, work);
}

napi_status exchange_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {{"netlinkExchange", netlink_exchange}};
  start_thread_pool(env);
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
