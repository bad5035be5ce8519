/*
 * Sockets and ioctl, one call each. What is expected to fail now and then (send, recv) returns -errno; the rest throws.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_OPTION_BYTES 65536
#define ETHTOOL_BYTES (1024 * 1024)

static napi_value open_socket(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int domain, type, protocol, namespace_fd;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_int(env, arguments.value[0], "domain", &domain)) return NULL;
  if (!get_int(env, arguments.value[1], "type", &type)) return NULL;
  if (!get_int(env, arguments.value[2], "protocol", &protocol)) return NULL;
  type |= SOCK_CLOEXEC;
  if (!is_given(env, &arguments, 3)) {
    int fd = socket(domain, type, protocol);
    return fd < 0 ? throw_errno(env, errno, "socket", NULL) : make_number(env, fd);
  }
  if (!get_descriptor(env, arguments.value[3], &namespace_fd)) return NULL;
  int former = namespace_enter(namespace_fd);
  if (former < 0) return throw_errno(env, errno, "setns", NULL);
  int fd = socket(domain, type, protocol);
  namespace_leave(former);
  return fd < 0 ? throw_errno(env, errno, "socket", NULL) : make_number(env, fd);
}

static bool get_address(napi_env env, napi_value value, struct bytes *out) {
  if (!get_bytes(env, value, "address", out)) return false;
  if (out->length >= sizeof(sa_family_t) && out->length <= sizeof(struct sockaddr_storage)) return true;
  throw_argument(env, "address", "a sockaddr of 2 to 128 bytes");
  return false;
}

static napi_value with_address(napi_env env, napi_callback_info info, const char *name,
                               int (*call)(int, const struct sockaddr *, socklen_t)) {
  struct arguments arguments;
  struct bytes address;
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_address(env, arguments.value[1], &address)) return NULL;
  struct sockaddr_storage copy = {0};
  memcpy(&copy, address.at, address.length);
  if (call(fd, (const struct sockaddr *)&copy, (socklen_t)address.length) != 0)
    return throw_errno(env, errno, name, NULL);
  return make_undefined(env);
}

static napi_value bind_socket(napi_env env, napi_callback_info info) {
  return with_address(env, info, "bind", bind);
}

static napi_value connect_socket(napi_env env, napi_callback_info info) {
  return with_address(env, info, "connect", connect);
}

static napi_value listen_socket(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int fd, backlog;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_int(env, arguments.value[1], "backlog", &backlog)) return NULL;
  if (listen(fd, backlog) != 0) return throw_errno(env, errno, "listen", NULL);
  return make_undefined(env);
}

/* Never waits for the connection's data: what is accepted does not block. */
static napi_value accept_connection(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes address;
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_bytes(env, arguments.value[1], "address", &address)) return NULL;
  struct sockaddr_storage from = {0};
  socklen_t from_length = sizeof(from);
  int accepted;
  UNINTERRUPTED(accepted, accept4(fd, (struct sockaddr *)&from, &from_length, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (accepted < 0) return make_number(env, -errno);
  memset(address.at, 0, address.length);
  memcpy(address.at, &from, address.length < sizeof(from) ? address.length : sizeof(from));
  return make_number(env, accepted);
}

static napi_value get_socket_name(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int fd;
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof(address);
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
    return throw_errno(env, errno, "getsockname", NULL);
  return make_bytes(env, &address, length <= sizeof(address) ? length : sizeof(address));
}

static napi_value set_socket_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes value;
  int fd, level, name;
  if (!get_arguments(env, info, 4, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_int(env, arguments.value[1], "level", &level)) return NULL;
  if (!get_int(env, arguments.value[2], "option", &name)) return NULL;
  if (!get_bytes(env, arguments.value[3], "value", &value)) return NULL;
  if (value.length > MAX_OPTION_BYTES) return throw_argument(env, "value", "at most 65536 bytes");
  if (setsockopt(fd, level, name, value.at, (socklen_t)value.length) != 0)
    return throw_errno(env, errno, "setsockopt", NULL);
  return make_undefined(env);
}

/* SO_ATTACH_FILTER takes a pointer, which setsockopt above cannot give. */
static napi_value attach_filter(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes program;
  int fd;
  if (!get_arguments(env, info, 2, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_bytes(env, arguments.value[1], "program", &program)) return NULL;
  size_t count = program.length / sizeof(struct sock_filter);
  if (count == 0 || count > BPF_MAXINSNS || program.length % sizeof(struct sock_filter) != 0)
    return throw_argument(env, "program", "1 to 4096 instructions of 8 bytes");
  struct sock_filter *instructions = malloc(program.length);
  if (instructions == NULL) return throw_errno(env, ENOMEM, "malloc", NULL);
  memcpy(instructions, program.at, program.length);
  struct sock_fprog filter = {.len = (unsigned short)count, .filter = instructions};
  int result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
  int error = errno;
  free(instructions);
  return result != 0 ? throw_errno(env, error, "setsockopt", NULL) : make_undefined(env);
}

static napi_value get_socket_option(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int64_t max_bytes;
  int fd, level, name;
  if (!get_arguments(env, info, 4, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_int(env, arguments.value[1], "level", &level)) return NULL;
  if (!get_int(env, arguments.value[2], "option", &name)) return NULL;
  if (!get_integer(env, arguments.value[3], "maxBytes", 1, 4096, &max_bytes)) return NULL;
  uint8_t value[4096] = {0};
  socklen_t length = (socklen_t)max_bytes;
  if (getsockopt(fd, level, name, value, &length) != 0) return throw_errno(env, errno, "getsockopt", NULL);
  /* Some options report the length they wanted instead of the one they wrote. */
  return make_bytes(env, value, length <= (socklen_t)max_bytes ? length : (size_t)max_bytes);
}

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int fd;
  if (!get_arguments(env, info, 1, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  /* After EINTR the descriptor is gone all the same. */
  if (close(fd) != 0 && errno != EINTR) return throw_errno(env, errno, "close", NULL);
  return make_undefined(env);
}

static bool get_transfer(napi_env env, napi_callback_info info, size_t at_least, struct arguments *arguments, int *fd,
                         struct bytes *bytes, int *flags) {
  return get_arguments(env, info, at_least, arguments) && get_descriptor(env, arguments->value[0], fd) &&
         get_bytes(env, arguments->value[1], "bytes", bytes) && get_int(env, arguments->value[2], "flags", flags);
}

static napi_value send_bytes(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes bytes;
  int fd, flags;
  if (!get_transfer(env, info, 3, &arguments, &fd, &bytes, &flags)) return NULL;
  ssize_t sent;
  UNINTERRUPTED(sent, send(fd, bytes.at, bytes.length, flags | MSG_NOSIGNAL));
  return make_number(env, sent < 0 ? -errno : sent);
}

static napi_value send_to(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes bytes, address;
  int fd, flags;
  if (!get_transfer(env, info, 4, &arguments, &fd, &bytes, &flags)) return NULL;
  if (!get_address(env, arguments.value[3], &address)) return NULL;
  struct sockaddr_storage copy = {0};
  memcpy(&copy, address.at, address.length);
  ssize_t sent;
  UNINTERRUPTED(sent, sendto(fd, bytes.at, bytes.length, flags | MSG_NOSIGNAL,
                             (const struct sockaddr *)&copy, (socklen_t)address.length));
  return make_number(env, sent < 0 ? -errno : sent);
}

static napi_value receive_bytes(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes buffer;
  int fd, flags;
  if (!get_transfer(env, info, 3, &arguments, &fd, &buffer, &flags)) return NULL;
  ssize_t received;
  UNINTERRUPTED(received, recv(fd, buffer.at, buffer.length, flags));
  return make_number(env, received < 0 ? -errno : received);
}

static napi_value receive_from(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes buffer, address;
  int fd, flags;
  if (!get_transfer(env, info, 4, &arguments, &fd, &buffer, &flags)) return NULL;
  if (!get_bytes(env, arguments.value[3], "address", &address)) return NULL;
  struct sockaddr_storage from = {0};
  socklen_t from_length = sizeof(from);
  ssize_t received;
  UNINTERRUPTED(received,
                recvfrom(fd, buffer.at, buffer.length, flags, (struct sockaddr *)&from, &from_length));
  if (received < 0) return make_number(env, -errno);
  memset(address.at, 0, address.length);
  memcpy(address.at, &from, address.length < sizeof(from) ? address.length : sizeof(from));
  return make_number(env, received);
}

/*
 * The buffer is always at least an ifreq, whatever size the request number claims (TUNSETIFF claims an int and takes an ifreq).
 * SIOCETHTOOL and the interface list hold pointers: the former has its own function, the latter netlink does better.
 */
static napi_value ioctl_buffer(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes buffer;
  int64_t request;
  int fd;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_integer(env, arguments.value[1], "request", 0, UINT32_MAX, &request)) return NULL;
  if (!get_bytes(env, arguments.value[2], "buffer", &buffer)) return NULL;
  if (request == SIOCETHTOOL || request == SIOCGIFCONF || request == SIOCGIFMAP)
    return throw_argument(env, "request", "one whose buffer holds no pointer");
  if (buffer.length < sizeof(struct ifreq) || buffer.length < _IOC_SIZE((unsigned long)request))
    return throw_argument(env, "buffer", "at least 40 bytes and as long as the request asks");
  int result;
  UNINTERRUPTED(result, ioctl(fd, (unsigned long)request, buffer.at));
  return result < 0 ? throw_errno(env, errno, "ioctl", NULL) : make_number(env, result);
}

/* Only requests that take the number itself: others would take it for an address. */
static napi_value ioctl_number(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int64_t request, number;
  int fd;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_integer(env, arguments.value[1], "request", 0, UINT32_MAX, &request)) return NULL;
  if (!get_integer(env, arguments.value[2], "number", 0, UINT32_MAX, &number)) return NULL;
  if (request != TUNSETPERSIST && request != TUNSETOWNER && request != TUNSETGROUP)
    return throw_argument(env, "request", "one that takes a number");
  int result;
  UNINTERRUPTED(result, ioctl(fd, (unsigned long)request, (unsigned long)number));
  return result < 0 ? throw_errno(env, errno, "ioctl", NULL) : make_number(env, result);
}

/* The commands whose answer cannot exceed ETHTOOL_BYTES, whatever the driver. */
static bool is_bounded_ethtool(uint32_t command) {
  switch (command) {
  case ETHTOOL_GDRVINFO:
  case ETHTOOL_GLINK:
  case ETHTOOL_GRXCSUM:
  case ETHTOOL_SRXCSUM:
  case ETHTOOL_GTXCSUM:
  case ETHTOOL_STXCSUM:
  case ETHTOOL_GSG:
  case ETHTOOL_SSG:
  case ETHTOOL_GTSO:
  case ETHTOOL_STSO:
  case ETHTOOL_GGSO:
  case ETHTOOL_SGSO:
  case ETHTOOL_GGRO:
  case ETHTOOL_SGRO:
  case ETHTOOL_GFLAGS:
  case ETHTOOL_SFLAGS:
  case ETHTOOL_GSSET_INFO:
  case ETHTOOL_GSTRINGS:
  case ETHTOOL_GFEATURES:
  case ETHTOOL_SFEATURES:
    return true;
  default:
    return false;
  }
}

/* Works on a copy that is larger than any answer, since some answers are longer than the question says. */
static napi_value ethtool_command(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes command;
  struct ifreq request = {0};
  int fd;
  uint32_t number;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_text(env, arguments.value[1], "interface", request.ifr_name, sizeof(request.ifr_name))) return NULL;
  if (!get_bytes(env, arguments.value[2], "command", &command)) return NULL;
  if (command.length < sizeof(struct ethtool_value) || command.length > ETHTOOL_BYTES)
    return throw_argument(env, "command", "an ethtool structure of 8 bytes to 1 MiB");
  memcpy(&number, command.at, sizeof(number));
  if (!is_bounded_ethtool(number)) return throw_argument(env, "command", "one of the known ethtool commands");
  char *copy = calloc(1, ETHTOOL_BYTES);
  if (copy == NULL) return throw_errno(env, ENOMEM, "calloc", NULL);
  memcpy(copy, command.at, command.length);
  uint32_t words;
  memcpy(&words, copy + 4, sizeof(words));
  bool oversized = (number == ETHTOOL_GFEATURES || number == ETHTOOL_SFEATURES) && words > 1024;
  request.ifr_data = copy;
  int result = oversized ? -1 : ioctl(fd, SIOCETHTOOL, &request);
  int error = oversized ? EMSGSIZE : errno;
  if (result >= 0) memcpy(command.at, copy, command.length);
  free(copy);
  return result < 0 ? throw_errno(env, error, "ioctl", "SIOCETHTOOL") : make_undefined(env);
}

napi_status socket_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {
      {"socket", open_socket},          {"bind", bind_socket},
      {"connect", connect_socket},      {"getsockname", get_socket_name},
      {"setsockopt", set_socket_option}, {"getsockopt", get_socket_option},
      {"attachFilter", attach_filter},  {"listen", listen_socket},
      {"accept", accept_connection},
      {"close", close_descriptor},      {"ioctl", ioctl_buffer},
      {"ioctlNumber", ioctl_number},    {"ethtool", ethtool_command},
      {"send", send_bytes},             {"sendto", send_to},
      {"recv", receive_bytes},          {"recvfrom", receive_from},
  };
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
