/* sendmmsg and recvmmsg: many datagrams in one system call, for the monitors and the tunnels. */
#define _GNU_SOURCE
#include "addon.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MAX_DATAGRAMS 1024

static napi_value send_many(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  int fd, flags;
  bool is_array = false;
  uint32_t count = 0;
  if (!get_arguments(env, info, 3, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (napi_is_array(env, arguments.value[1], &is_array) != napi_ok || !is_array ||
      napi_get_array_length(env, arguments.value[1], &count) != napi_ok || count > MAX_DATAGRAMS)
    return throw_argument(env, "datagrams", "an array of at most 1024 elements");
  if (!get_int(env, arguments.value[2], "flags", &flags)) return NULL;
  struct mmsghdr headers[MAX_DATAGRAMS];
  struct iovec vectors[MAX_DATAGRAMS];
  memset(headers, 0, count * sizeof(headers[0]));
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    struct bytes bytes;
    if (napi_get_element(env, arguments.value[1], i, &element) != napi_ok) return throw_napi(env);
    if (!get_bytes(env, element, "datagram", &bytes)) return NULL;
    vectors[i] = (struct iovec){.iov_base = bytes.at, .iov_len = bytes.length};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  int sent;
  UNINTERRUPTED(sent, sendmmsg(fd, headers, count, flags | MSG_NOSIGNAL));
  return make_number(env, sent < 0 ? -errno : sent);
}

static bool get_lengths(napi_env env, napi_value value, int32_t **out, size_t *count) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, count, &data, NULL, NULL) != napi_ok || type != napi_int32_array ||
      data == NULL || *count == 0 || *count > MAX_DATAGRAMS) {
    throw_argument(env, "lengths", "an Int32Array of 1 to 1024 elements");
    return false;
  }
  *out = data;
  return true;
}

/* recvmmsg(fd, buffer, sliceBytes, lengths, flags, addresses?) */
static napi_value receive_many(napi_env env, napi_callback_info info) {
  struct arguments arguments;
  struct bytes buffer, addresses = {0};
  int64_t slice;
  int32_t *lengths;
  size_t count, address_slice = 0;
  int fd, flags;
  if (!get_arguments(env, info, 5, &arguments)) return NULL;
  if (!get_descriptor(env, arguments.value[0], &fd)) return NULL;
  if (!get_bytes(env, arguments.value[1], "buffer", &buffer)) return NULL;
  if (!get_integer(env, arguments.value[2], "sliceBytes", 1, INT32_MAX, &slice)) return NULL;
  if (!get_lengths(env, arguments.value[3], &lengths, &count)) return NULL;
  if (!get_int(env, arguments.value[4], "flags", &flags)) return NULL;
  if (buffer.length / (size_t)slice < count) return throw_argument(env, "buffer", "lengths.length * sliceBytes long");
  if (is_given(env, &arguments, 5)) {
    if (!get_bytes(env, arguments.value[5], "addresses", &addresses)) return NULL;
    address_slice = addresses.length / count;
    memset(addresses.at, 0, addresses.length);
  }
  struct mmsghdr headers[MAX_DATAGRAMS];
  struct iovec vectors[MAX_DATAGRAMS];
  memset(headers, 0, count * sizeof(headers[0]));
  for (size_t i = 0; i < count; i++) {
    vectors[i] = (struct iovec){.iov_base = buffer.at + i * (size_t)slice, .iov_len = (size_t)slice};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    if (address_slice > 0) {
      headers[i].msg_hdr.msg_name = addresses.at + i * address_slice;
      headers[i].msg_hdr.msg_namelen = (socklen_t)address_slice;
    }
  }
  int received;
  UNINTERRUPTED(received, recvmmsg(fd, headers, (unsigned int)count, flags, NULL));
  if (received < 0) return make_number(env, -errno);
  for (int i = 0; i < received; i++)
    lengths[i] = headers[i].msg_len > INT32_MAX ? INT32_MAX : (int32_t)headers[i].msg_len;
  return make_number(env, received);
}

napi_status batch_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {{"sendmmsg", send_many}, {"recvmmsg", receive_many}};
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
