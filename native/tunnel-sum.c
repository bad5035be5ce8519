/*
 * The one's complement sum of RFC 1071, which every byte that the tunnel carries goes through: 64 bytes a step with AVX2 where the
 * processor has it, else 8 at a time.
 */
#include "tunnel-packet.h"

#include <string.h>

static inline uint64_t load64(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, sizeof(value));
  return value;
}

static inline uint64_t add_carried(uint64_t sum, uint64_t value) {
  uint64_t result = sum + value;
  return result + (result < value);
}

#define BLOCK_BYTES 64

#if defined(__x86_64__)
typedef uint64_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

/* Whole blocks, and copied to `to` on the way unless it is NULL. Halves of words are added apart, so that no carry is lost. */
__attribute__((target("avx2"))) static uint64_t sum_blocks(uint8_t *to, const uint8_t *from, size_t blocks) {
  const lanes low = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
  lanes a = {0}, b = {0}, c = {0}, d = {0};
  for (; blocks > 0; blocks--, from += BLOCK_BYTES) {
    lanes x = *(const lanes *)from, y = *(const lanes *)(from + 32);
    a += x & low;
    b += x >> 32;
    c += y & low;
    d += y >> 32;
    if (to == NULL) continue;
    *(lanes *)to = x;
    *(lanes *)(to + 32) = y;
    to += BLOCK_BYTES;
  }
  a += b + c + d;
  return a[0] + a[1] + a[2] + a[3];
}

static inline bool has_blocks(void) { return __builtin_cpu_supports("avx2"); }
#else
static uint64_t sum_blocks(uint8_t *to, const uint8_t *from, size_t blocks) { return (void)to, (void)from, blocks; }
static inline bool has_blocks(void) { return false; }
#endif

static uint64_t sum_rest(uint64_t sum, const uint8_t *at, size_t length) {
  for (; length >= 8; at += 8, length -= 8) sum = add_carried(sum, load64(at));
  if (length == 0) return sum;
  uint64_t rest = 0;
  memcpy(&rest, at, length);
  return add_carried(sum, rest);
}

uint64_t sum_bytes(uint64_t sum, const uint8_t *at, size_t length) {
  if (length < 2 * BLOCK_BYTES || !has_blocks()) return sum_rest(sum, at, length);
  size_t whole = length / BLOCK_BYTES * BLOCK_BYTES;
  sum = add_carried(sum, sum_blocks(NULL, at, length / BLOCK_BYTES));
  return sum_rest(sum, at + whole, length - whole);
}

uint64_t sum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t length) {
  size_t whole = 0;
  if (length >= 2 * BLOCK_BYTES && has_blocks()) {
    whole = length / BLOCK_BYTES * BLOCK_BYTES;
    sum = add_carried(sum, sum_blocks(to, from, length / BLOCK_BYTES));
  }
  if (length > whole) memcpy(to + whole, from + whole, length - whole);
  return sum_rest(sum, from + whole, length - whole);
}

uint16_t sum_fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}
