/*
 * Poplin's addon: the system calls that Node lacks, one JavaScript function each, and nothing clever.
 * This file holds what they share (addon.h) and the registration. The functions are described in src/io/native/addon.ts.
 */
#define _GNU_SOURCE
#include "addon.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool get_arguments(napi_env env, napi_callback_info info, size_t at_least, struct arguments *out) {
  out->count = MAX_ARGUMENTS;
  if (napi_get_cb_info(env, info, &out->count, out->value, NULL, NULL) != napi_ok) {
    throw_napi(env);
    return false;
  }
  if (out->count >= at_least) return true;
  napi_throw_type_error(env, "ERR_MISSING_ARGS", "too few arguments");
  return false;
}

bool is_given(napi_env env, const struct arguments *arguments, size_t index) {
  napi_valuetype type;
  return index < arguments->count && index < MAX_ARGUMENTS &&
         napi_typeof(env, arguments->value[index], &type) == napi_ok && type != napi_undefined;
}

bool get_integer(napi_env env, napi_value value, const char *what, int64_t low, int64_t high, int64_t *out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || !isfinite(number) || number != trunc(number) ||
      number < (double)low || number > (double)high) {
    char wanted[80];
    snprintf(wanted, sizeof(wanted), "an integer from %lld to %lld", (long long)low, (long long)high);
    throw_argument(env, what, wanted);
    return false;
  }
  *out = (int64_t)number;
  return true;
}

bool get_int(napi_env env, napi_value value, const char *what, int *out) {
  int64_t number;
  if (!get_integer(env, value, what, INT32_MIN, INT32_MAX, &number)) return false;
  *out = (int)number;
  return true;
}

bool get_descriptor(napi_env env, napi_value value, int *out) {
  int64_t number;
  if (!get_integer(env, value, "descriptor", 0, INT32_MAX, &number)) return false;
  *out = (int)number;
  return true;
}

bool get_bytes(napi_env env, napi_value value, const char *what, struct bytes *out) {
  bool is_typed_array = false;
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array || (data == NULL && out->length != 0)) {
    throw_argument(env, what, "a Uint8Array");
    return false;
  }
  /* An empty array may have no memory at all; system calls and memcpy want an address. */
  static uint8_t nothing[1];
  out->at = data != NULL ? data : nothing;
  return true;
}

bool get_text(napi_env env, napi_value value, const char *what, char *out, size_t size) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    throw_argument(env, what, "a string");
    return false;
  }
  if (length == 0 || length >= size) {
    throw_argument(env, what, "neither empty nor too long");
    return false;
  }
  if (napi_get_value_string_utf8(env, value, out, size, &length) != napi_ok || strlen(out) != length) {
    throw_argument(env, what, "free of NUL characters");
    return false;
  }
  return true;
}

bool get_function(napi_env env, napi_value value, const char *what) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_function) return true;
  throw_argument(env, what, "a function");
  return false;
}

napi_value throw_argument(napi_env env, const char *what, const char *wanted) {
  char text[160];
  snprintf(text, sizeof(text), "%s must be %s", what, wanted);
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", text);
  return NULL;
}

napi_value throw_napi(napi_env env) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) return NULL;
  napi_throw_error(env, "ERR_NATIVE_ADDON", "the native addon could not call into JavaScript");
  return NULL;
}

napi_value throw_errno(napi_env env, int error, const char *syscall, const char *subject) {
  const char *code = strerrorname_np(error);
  if (code == NULL) code = "EUNKNOWN";
  char reason[128];
  snprintf(reason, sizeof(reason), "%s", strerrordesc_np(error) != NULL ? strerrordesc_np(error) : "unknown error");
  reason[0] = (char)tolower((unsigned char)reason[0]);
  char text[4600];
  snprintf(text, sizeof(text), "%s%s%s: %s (%s)", syscall, subject != NULL ? " " : "", subject != NULL ? subject : "",
           reason, code);
  napi_value code_value, text_value, number, name, thrown;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value) != napi_ok ||
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &text_value) != napi_ok ||
      napi_create_error(env, code_value, text_value, &thrown) != napi_ok ||
      napi_create_int32(env, error, &number) != napi_ok ||
      napi_set_named_property(env, thrown, "errno", number) != napi_ok ||
      napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_set_named_property(env, thrown, "syscall", name) != napi_ok) {
    return throw_napi(env);
  }
  napi_throw(env, thrown);
  return NULL;
}

napi_value make_number(napi_env env, int64_t number) {
  napi_value value;
  return napi_create_int64(env, number, &value) == napi_ok ? value : throw_napi(env);
}

napi_value make_undefined(napi_env env) {
  napi_value value;
  return napi_get_undefined(env, &value) == napi_ok ? value : throw_napi(env);
}

napi_value make_bytes(napi_env env, const void *from, size_t length) {
  void *memory = NULL;
  napi_value buffer, array;
  if (napi_create_arraybuffer(env, length, &memory, &buffer) != napi_ok) return throw_napi(env);
  if (length > 0) memcpy(memory, from, length);
  if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) != napi_ok) return throw_napi(env);
  return array;
}

napi_status export_functions(napi_env env, napi_value exports, const struct function_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    napi_status status =
        napi_create_function(env, rows[i].name, NAPI_AUTO_LENGTH, rows[i].function, NULL, &function);
    if (status == napi_ok) status = napi_set_named_property(env, exports, rows[i].name, function);
    if (status != napi_ok) return status;
  }
  return napi_ok;
}

NAPI_MODULE_INIT() {
  if (namespace_init(env, exports) != napi_ok || socket_init(env, exports) != napi_ok ||
      batch_init(env, exports) != napi_ok || poll_init(env, exports) != napi_ok ||
      exchange_init(env, exports) != napi_ok || memory_init(env, exports) != napi_ok) {
    throw_napi(env);
  }
  return exports;
}
