/*
 * The parts of poplin-tunnel, which carries IP packets between a TUN device and a UDP socket for each family: one datagram is one
 * bare IP packet, as flannel's udp backend has it. Functions return false or -1 after they have said on standard error what is wrong.
 */
#ifndef POPLIN_TUNNEL_H
#define POPLIN_TUNNEL_H

#include "tunnel-packet.h"

#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define TUNNEL_PROTOCOL 1
#define MAX_FAMILIES 2

/* An IPv4 address lies in the first four bytes, the others are zero. */
struct address {
  uint8_t bytes[16];
};

struct peer {
  struct address prefix;
  struct address outer;
  uint32_t generation;
  uint8_t length;
  uint8_t used;
};

/* Which peer has which addresses: prefixes, the longest counts, each with the outer address of its node. */
struct peers {
  pthread_rwlock_t lock;
  struct peer *table;
  size_t capacity;
  size_t count;
  /* How many prefixes there are of each length. */
  size_t lengths[129];
  uint32_t generation;
  uint64_t seed;
};

/* The only counters that are read while others write. */
struct counters {
  /* IP packets, one for each datagram, and their bytes. */
  atomic_ullong sent_packets, sent_bytes, received_packets, received_bytes;
  /* System calls that carried them. */
  atomic_ullong device_reads, device_writes, socket_sends, socket_receives;
  /* What went no further, and why. */
  atomic_ullong no_peer, send_failed, uncut, malformed, unknown_outer, spoofed_inner, device_failed;
};

struct family {
  /* 4 or 6. */
  int version;
  char link[IFNAMSIZ];
  struct sockaddr_storage local;
  socklen_t local_length;
  in_port_t port;
  int device;
  int socket;
  /* The kernel takes merged UDP packets. */
  bool merges_udp;
  struct peers peers;
  struct counters counters;
};

struct tunnel {
  struct family families[MAX_FAMILIES];
  size_t family_count;
  const char *socket_path;
  int listener;
  /* The user who may give orders. */
  uid_t owner;
  pid_t pid;
  /* How it was started, as the greeting says it. */
  char configuration[256];
};

static inline size_t address_bytes(int version) { return version == 4 ? 4 : 16; }
static inline void count(atomic_ullong *counter, unsigned long long more) {
  atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* tunnel-peers.c. Finding needs the lock, changing takes it. */
bool peers_begin(struct peers *peers);
const struct peer *peers_find(const struct peers *peers, const uint8_t *address, int version);
/* The entry of a whole address: every peer's outer address has one. */
const struct peer *peers_find_host(const struct peers *peers, const uint8_t *address, int version);
bool peers_set(struct peers *peers, int version, const struct address *prefix, uint8_t length, const struct address *outer);
bool peers_remove(struct peers *peers, const struct address *prefix, uint8_t length);
/* What was set before the last peers_renew and not since goes. */
void peers_renew(struct peers *peers);
void peers_drop_old(struct peers *peers);

/* tunnel-setup.c */
bool family_open(struct family *family);
int listen_for_orders(const char *path);

/* tunnel-sandbox.c: the process needs no privilege any more; after the second call, which is for all threads, it can get none. */
bool drop_privileges(void);
bool confine_system_calls(void);

/* The two directions, each a thread: they return only if the device or the socket is gone. */
void *carry_out(void *family);
void *carry_in(void *family);

/* tunnel-control.c: serves orders until told to stop. */
void serve_orders(struct tunnel *tunnel);

#endif
