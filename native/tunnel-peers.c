/*
 * The table of peers: open addressing with linear probing, a key being a prefix and its length. A look-up by address tries each
 * length that occurs, the longest first; they are two for each size of subnet in use.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CAPACITY 64

bool peers_begin(struct peers *peers) {
  pthread_rwlockattr_t attributes;
  memset(peers, 0, sizeof(*peers));
  if (getrandom(&peers->seed, sizeof(peers->seed), 0) != sizeof(peers->seed)) return false;
  peers->seed |= 1;
  /* Else a change would wait as long as packets flow. */
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&peers->lock, &attributes);
  peers->table = calloc(FIRST_CAPACITY, sizeof(struct peer));
  peers->capacity = FIRST_CAPACITY;
  return peers->table != NULL;
}

static size_t slot_of(const struct peers *peers, size_t capacity, const struct address *prefix, uint8_t length) {
  uint64_t low, high;
  memcpy(&low, prefix->bytes, 8);
  memcpy(&high, prefix->bytes + 8, 8);
  uint64_t hash = (low ^ peers->seed) * 0x9e3779b97f4a7c15u;
  hash = (hash ^ hash >> 29 ^ high ^ length) * 0xbf58476d1ce4e5b9u;
  return (size_t)(hash ^ hash >> 32) & (capacity - 1);
}

/* The entry, or the free place where it would be. */
static struct peer *probe(const struct peers *peers, struct peer *table, size_t capacity, const struct address *prefix,
                          uint8_t length) {
  size_t slot = slot_of(peers, capacity, prefix, length);
  for (;; slot = (slot + 1) & (capacity - 1)) {
    struct peer *each = &table[slot];
    if (!each->used) return each;
    if (each->length == length && memcmp(&each->prefix, prefix, sizeof(*prefix)) == 0) return each;
  }
}

static struct address masked(const uint8_t *address, size_t bytes, size_t length) {
  struct address result = {{0}};
  size_t whole = length / 8;
  memcpy(result.bytes, address, whole);
  if (whole < bytes && length % 8 != 0) result.bytes[whole] = (uint8_t)(address[whole] & 0xff << (8 - length % 8));
  return result;
}

const struct peer *peers_find(const struct peers *peers, const uint8_t *address, int version) {
  size_t bytes = address_bytes(version);
  for (size_t length = bytes * 8 + 1; length-- > 0;) {
    if (peers->lengths[length] == 0) continue;
    struct address prefix = masked(address, bytes, length);
    const struct peer *found = probe(peers, peers->table, peers->capacity, &prefix, (uint8_t)length);
    if (found->used) return found;
  }
  return NULL;
}

const struct peer *peers_find_host(const struct peers *peers, const uint8_t *address, int version) {
  size_t bytes = address_bytes(version);
  struct address prefix = masked(address, bytes, bytes * 8);
  const struct peer *found = probe(peers, peers->table, peers->capacity, &prefix, (uint8_t)(bytes * 8));
  return found->used ? found : NULL;
}

static bool grow(struct peers *peers) {
  size_t capacity = peers->capacity * 2;
  struct peer *table = calloc(capacity, sizeof(struct peer));
  if (table == NULL) return false;
  for (size_t i = 0; i < peers->capacity; i++) {
    const struct peer *each = &peers->table[i];
    if (each->used) *probe(peers, table, capacity, &each->prefix, each->length) = *each;
  }
  free(peers->table);
  peers->table = table;
  peers->capacity = capacity;
  return true;
}

bool peers_set(struct peers *peers, int version, const struct address *prefix, uint8_t length,
               const struct address *outer) {
  struct address key = masked(prefix->bytes, address_bytes(version), length);
  pthread_rwlock_wrlock(&peers->lock);
  bool fits = peers->count * 2 < peers->capacity || grow(peers);
  if (fits) {
    struct peer *entry = probe(peers, peers->table, peers->capacity, &key, length);
    if (!entry->used) {
      peers->count++;
      peers->lengths[length]++;
    }
    *entry = (struct peer){
        .prefix = key, .outer = *outer, .generation = peers->generation, .length = length, .used = 1};
  }
  pthread_rwlock_unlock(&peers->lock);
  return fits;
}

/* Those behind it move up, so that a look-up meets no hole before them. */
static void remove_entry(struct peers *peers, size_t hole) {
  size_t mask = peers->capacity - 1;
  peers->count--;
  peers->lengths[peers->table[hole].length]--;
  for (size_t next = (hole + 1) & mask; peers->table[next].used; next = (next + 1) & mask) {
    const struct peer *each = &peers->table[next];
    size_t home = slot_of(peers, peers->capacity, &each->prefix, each->length);
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    peers->table[hole] = *each;
    hole = next;
  }
  peers->table[hole].used = 0;
}

bool peers_remove(struct peers *peers, const struct address *prefix, uint8_t length) {
  pthread_rwlock_wrlock(&peers->lock);
  struct peer *entry = probe(peers, peers->table, peers->capacity, prefix, length);
  bool found = entry->used != 0;
  if (found) remove_entry(peers, (size_t)(entry - peers->table));
  pthread_rwlock_unlock(&peers->lock);
  return found;
}

void peers_renew(struct peers *peers) { peers->generation++; }

void peers_drop_old(struct peers *peers) {
  pthread_rwlock_wrlock(&peers->lock);
  for (size_t i = 0; i < peers->capacity;) {
    bool is_old = peers->table[i].used && peers->table[i].generation != peers->generation;
    /* What moved into its place is looked at next. */
    if (is_old) remove_entry(peers, i);
    else i++;
  }
  /* A run that wraps round the end may have moved an old one behind us: once more, until there is none. */
  for (size_t i = 0; i < peers->capacity; i++) {
    if (!peers->table[i].used || peers->table[i].generation == peers->generation) continue;
    remove_entry(peers, i);
    i = (size_t)-1;
  }
  pthread_rwlock_unlock(&peers->lock);
}
