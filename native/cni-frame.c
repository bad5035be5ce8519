/*
 * The frames between client and agent, and their way over the unix socket.
 * Request: "PCN1", version, plugin name, environment, stdin. Reply: "PCN1", version, exit status, stdout, stderr.
 * Numbers are u32 big-endian; name, environment, stdin, stdout and stderr have their length before them.
 */
#define _GNU_SOURCE
#include "cni-client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAGIC "PCN1"
#define FRAME_VERSION 1
#define REPLY_HEAD_BYTES 16

static uint8_t reply_bytes[REPLY_HEAD_BYTES + 4 + MAX_REPLY_BYTES];
static char problem_text[512];

static const char *problem_with(const char *what, const char *subject, int error) {
  return describe(problem_text, sizeof(problem_text), what, subject, error);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

deadline deadline_in(int seconds) {
  return now_ms() + (int64_t)seconds * 1000;
}

/* False at the deadline. A closed or broken descriptor is ready: the next call on it tells. */
static bool wait_for(int fd, short events, deadline until) {
  for (;;) {
    int64_t left = until - now_ms();
    if (left <= 0) return false;
    struct pollfd poll_fd = {.fd = fd, .events = events};
    int ready = poll(&poll_fd, 1, left > INT_MAX ? INT_MAX : (int)left);
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
}

static void put_u32(uint8_t *at, size_t number) {
  at[0] = (uint8_t)(number >> 24);
  at[1] = (uint8_t)(number >> 16);
  at[2] = (uint8_t)(number >> 8);
  at[3] = (uint8_t)number;
}

static uint32_t get_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void frame_begin(struct frame *frame, const char *plugin) {
  size_t length = strlen(plugin);
  memcpy(frame->bytes, MAGIC, 4);
  put_u32(frame->bytes + 4, FRAME_VERSION);
  put_u32(frame->bytes + 8, length);
  memcpy(frame->bytes + 12, plugin, length);
  frame->length = 12 + length;
}

const char *frame_add_environment(struct frame *frame, char *const *environment) {
  uint8_t *length_at = frame->bytes + frame->length;
  size_t total = 0;
  for (char *const *variable = environment; *variable != NULL; variable++) {
    if (strncmp(*variable, "CNI_", 4) != 0) continue;
    size_t size = strlen(*variable) + 1;
    if (size > MAX_ENVIRONMENT_BYTES - total) return "the CNI_* variables are larger than 256 KiB";
    memcpy(length_at + 4 + total, *variable, size);
    total += size;
  }
  put_u32(length_at, total);
  frame->length += 4 + total;
  return NULL;
}

const char *frame_add_input(struct frame *frame, int fd, deadline until, const char **text, size_t *length) {
  uint8_t *length_at = frame->bytes + frame->length;
  size_t total = 0;
  bool ended = isatty(fd) == 1;
  while (!ended) {
    if (!wait_for(fd, POLLIN, until)) return "its end did not come in time";
    uint8_t surplus;
    bool full = total == MAX_STDIN_BYTES;
    ssize_t got = full ? read(fd, &surplus, 1) : read(fd, length_at + 4 + total, MAX_STDIN_BYTES - total);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return problem_with("read", "stdin", errno);
    if (got > 0 && full) return "it is larger than 1 MiB";
    total += (size_t)got;
    ended = got == 0;
  }
  put_u32(length_at, total);
  frame->length += 4 + total;
  *text = (const char *)length_at + 4;
  *length = total;
  return NULL;
}

bool write_all(int fd, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  while (length > 0) {
    ssize_t written = write(fd, at, length);
    if (written < 0 && errno == EAGAIN) {
      struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
      poll(&poll_fd, 1, -1);
      continue;
    }
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    length -= (size_t)written;
  }
  return true;
}

/* Whoever answers decides over the pod's network: nobody but root or ourselves may. The credentials are those of the listener. */
static const char *check_peer(int fd) {
  struct ucred peer;
  socklen_t length = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return problem_with("getsockopt", "SO_PEERCRED", errno);
  if (peer.uid == 0 || peer.uid == geteuid()) return NULL;
  char user[24];
  return join(problem_text, sizeof(problem_text),
              (const char *const[]){"the socket belongs to user ", digits(user, peer.uid, 1),
                                    ", neither root nor our own", NULL});
}

/* One second at most: longer only if the agent has stopped accepting, which is as good as away. */
static const char *connect_agent(const char *path, int *out) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) return "the socket's path is longer than 107 bytes";
  memcpy(address.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return problem_with("socket", path, errno);
  struct timeval patience = {.tv_sec = 1};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const char *problem = NULL;
  if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
    problem = problem_with("connect", path, errno);
  else
    problem = check_peer(fd);
  if (problem == NULL && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) problem = problem_with("fcntl", path, errno);
  if (problem != NULL) {
    close(fd);
    return problem;
  }
  *out = fd;
  return NULL;
}

static const char *send_frame(int fd, const struct frame *frame, deadline until) {
  size_t sent = 0;
  while (sent < frame->length) {
    if (!wait_for(fd, POLLOUT, until)) return "the agent did not take the request in time";
    ssize_t step = send(fd, frame->bytes + sent, frame->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (step < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (step < 0) return problem_with("send to", "the agent", errno);
    sent += (size_t)step;
  }
  return NULL;
}

static const char *receive(int fd, uint8_t *at, size_t length, deadline until) {
  while (length > 0) {
    if (!wait_for(fd, POLLIN, until)) return "the agent did not answer in time";
    ssize_t step = recv(fd, at, length, MSG_DONTWAIT);
    if (step < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (step < 0) return problem_with("receive from", "the agent", errno);
    if (step == 0) return "the agent closed the connection before its answer was complete";
    at += step;
    length -= (size_t)step;
  }
  return NULL;
}

static const char *receive_reply(int fd, deadline until, struct reply *reply) {
  const char *problem = receive(fd, reply_bytes, REPLY_HEAD_BYTES, until);
  if (problem != NULL) return problem;
  if (memcmp(reply_bytes, MAGIC, 4) != 0 || get_u32(reply_bytes + 4) != FRAME_VERSION)
    return "the answer is not a reply of this client's version: agent and client are of different releases";
  uint32_t status = get_u32(reply_bytes + 8);
  size_t output_length = get_u32(reply_bytes + 12);
  if (output_length > MAX_REPLY_BYTES) return "the answer is larger than 4 MiB";
  uint8_t *output = reply_bytes + REPLY_HEAD_BYTES;
  problem = receive(fd, output, output_length + 4, until);
  if (problem != NULL) return problem;
  size_t errors_length = get_u32(output + output_length);
  if (errors_length > MAX_REPLY_BYTES - output_length) return "the answer is larger than 4 MiB";
  uint8_t *errors = output + output_length + 4;
  problem = receive(fd, errors, errors_length, until);
  if (problem != NULL) return problem;
  reply->status = status <= 255 ? (int)status : 1;
  reply->output = output;
  reply->output_length = output_length;
  reply->errors = errors;
  reply->errors_length = errors_length;
  return NULL;
}

const char *agent_exchange(const char *socket_path, const struct frame *frame, deadline until, struct reply *reply) {
  int fd = -1;
  const char *problem = connect_agent(socket_path, &fd);
  if (problem != NULL) return problem;
  problem = send_frame(fd, frame, until);
  if (problem == NULL) problem = receive_reply(fd, until, reply);
  close(fd);
  return problem;
}
