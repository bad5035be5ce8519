/*
 * The little JSON the client must know without the agent: find one top-level string, print one string. Not a parser: whether the
 * configuration is well-formed is for the agent to say.
 */
#include "cni-client.h"

#include <string.h>

struct scanner {
  const char *at;
  const char *end;
};

static void skip_space(struct scanner *scan) {
  while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) != NULL && *scan->at != '\0') scan->at++;
}

/* At a quote: moves behind the string; false if it does not end. The raw content lies between `from` and `to`. */
static bool take_string(struct scanner *scan, const char **from, const char **to) {
  scan->at++;
  *from = scan->at;
  while (scan->at < scan->end && *scan->at != '"') scan->at += *scan->at == '\\' && scan->end - scan->at > 1 ? 2 : 1;
  if (scan->at >= scan->end) return false;
  *to = scan->at++;
  return true;
}

static bool is_plain(const char *from, const char *to) {
  if (to == from || to - from >= MAX_VERSION_BYTES) return false;
  for (; from < to; from++) {
    if (*from < ' ' || *from > '~' || *from == '\\') return false;
  }
  return true;
}

/* Behind a key: if a string follows the colon, it is taken. */
static bool take_value(struct scanner *scan, const char **from, const char **to) {
  skip_space(scan);
  if (scan->at >= scan->end || *scan->at != ':') return false;
  scan->at++;
  skip_space(scan);
  return scan->at < scan->end && *scan->at == '"' && take_string(scan, from, to);
}

void json_find_version(const char *text, size_t length, char out[MAX_VERSION_BYTES]) {
  static const char key[] = "cniVersion";
  struct scanner scan = {.at = text, .end = text + length};
  size_t depth = 0;
  bool key_expected = false;
  strcpy(out, NEWEST_VERSION);
  skip_space(&scan);
  if (scan.at >= scan.end || *scan.at != '{') return;
  while (scan.at < scan.end) {
    const char *from, *to;
    char symbol = *scan.at;
    if (symbol == '"') {
      bool is_key = depth == 1 && key_expected;
      key_expected = false;
      if (!take_string(&scan, &from, &to)) return;
      if (!is_key || (size_t)(to - from) != sizeof(key) - 1 || memcmp(from, key, sizeof(key) - 1) != 0) continue;
      if (!take_value(&scan, &from, &to) || !is_plain(from, to)) continue;
      memcpy(out, from, (size_t)(to - from));
      out[to - from] = '\0';
      continue;
    }
    if (symbol == '{' || symbol == '[') depth++;
    if ((symbol == '}' || symbol == ']') && --depth == 0) return;
    if (symbol == '{' || symbol == ',') key_expected = depth == 1;
    scan.at++;
  }
}

void json_print_string(struct output *to, const char *text) {
  static const char hexadecimal[] = "0123456789abcdef";
  put_char(to, '"');
  for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
    if (*at > 0x7f) {
      put(to, "\\ufffd");
    } else if (*at < ' ' || *at == 0x7f) {
      put(to, "\\u00");
      put_char(to, hexadecimal[*at >> 4]);
      put_char(to, hexadecimal[*at & 15]);
    } else {
      if (*at == '"' || *at == '\\') put_char(to, '\\');
      put_char(to, (char)*at);
    }
  }
  put_char(to, '"');
}
