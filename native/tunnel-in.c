/*
 * From the nodes to the device. Only a known node's datagrams are looked at, and only packets whose source belongs to that node go
 * on. Packets of a flow that follow each other are given to the kernel as one.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define MAX_DATAGRAMS 8
/* Not a multiple of a page: else all datagrams would compete for the same lines of the cache. */
#define DATAGRAM_BYTES (65536 + 576)

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int))];
};

struct inbox {
  struct family *family;
  struct mmsghdr calls[MAX_DATAGRAMS];
  struct iovec parts[MAX_DATAGRAMS];
  struct sockaddr_storage from[MAX_DATAGRAMS];
  union control control[MAX_DATAGRAMS];
  struct merge merge;
  bool is_merging;
  bool is_gone;
  size_t merged_bytes;
  /* The source that was looked at last in this call, and is its peer's. */
  uint8_t source[16];
  const struct peer *source_peer;
  uint8_t merged[IP_MAX_BYTES];
  uint8_t bytes[MAX_DATAGRAMS][DATAGRAM_BYTES];
};

static void prepare(struct inbox *inbox) {
  for (size_t i = 0; i < MAX_DATAGRAMS; i++) {
    inbox->parts[i] = (struct iovec){inbox->bytes[i], DATAGRAM_BYTES};
    inbox->calls[i].msg_hdr = (struct msghdr){
        .msg_name = &inbox->from[i],
        .msg_namelen = sizeof(inbox->from[i]),
        .msg_iov = &inbox->parts[i],
        .msg_iovlen = 1,
        .msg_control = &inbox->control[i],
        .msg_controllen = sizeof(inbox->control[i]),
    };
  }
}

/* The size of the datagrams that the kernel put behind each other; 0 if it is only one. */
static size_t segment_length(struct msghdr *header) {
  for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each != NULL; each = CMSG_NXTHDR(header, each)) {
    int length;
    if (each->cmsg_level != IPPROTO_UDP || each->cmsg_type != UDP_GRO) continue;
    if (each->cmsg_len < CMSG_LEN(sizeof(length))) return 0;
    memcpy(&length, CMSG_DATA(each), sizeof(length));
    return length > 0 ? (size_t)length : 0;
  }
  return 0;
}

static void flush(struct inbox *inbox) {
  struct family *family = inbox->family;
  if (!inbox->is_merging) return;
  inbox->is_merging = false;
  merge_finish(&inbox->merge);
  count(&family->counters.device_writes, 1);
  if (writev(family->device, inbox->merge.parts, 2) >= 0) {
    count(&family->counters.received_packets, inbox->merge.count);
    count(&family->counters.received_bytes, inbox->merged_bytes);
    return;
  }
  count(&family->counters.device_failed, inbox->merge.count);
  /* EIO is a device that is down. */
  if (errno == EBADFD) inbox->is_gone = true;
}

/* The peer behind an outer address, or NULL for a stranger. */
static const struct peer *peer_behind(const struct family *family, const struct sockaddr_storage *from) {
  const uint8_t *address;
  in_port_t port;
  if (family->version == 4) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    address = (const uint8_t *)&v4->sin_addr;
    port = v4->sin_port;
  } else {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    address = (const uint8_t *)&v6->sin6_addr;
    port = v6->sin6_port;
  }
  if (port != family->port) return NULL;
  const struct peer *peer = peers_find_host(&family->peers, address, family->version);
  return peer != NULL && memcmp(peer->outer.bytes, address, address_bytes(family->version)) == 0 ? peer : NULL;
}

/* What comes together mostly comes from one source, which need not be looked for again. */
static bool belongs(struct inbox *inbox, const struct packet *packet, const struct peer *peer) {
  const struct family *family = inbox->family;
  size_t bytes = address_bytes(family->version);
  if (inbox->source_peer == peer && memcmp(inbox->source, packet->source, bytes) == 0) return true;
  const struct peer *owner = peers_find(&family->peers, packet->source, family->version);
  if (owner == NULL || memcmp(&owner->outer, &peer->outer, sizeof(peer->outer)) != 0) return false;
  memcpy(inbox->source, packet->source, bytes);
  inbox->source_peer = peer;
  return true;
}

static void take_packet(struct inbox *inbox, const struct peer *peer, uint8_t *bytes, size_t length) {
  struct family *family = inbox->family;
  struct packet packet;
  if (!packet_parse(bytes, length, family->version, &packet)) {
    count(&family->counters.malformed, 1);
    return;
  }
  if (!belongs(inbox, &packet, peer)) {
    count(&family->counters.spoofed_inner, 1);
    return;
  }
  if (inbox->is_merging && merge_append(&inbox->merge, &packet, family->merges_udp)) {
    inbox->merged_bytes += length;
    return;
  }
  flush(inbox);
  merge_begin(&inbox->merge, &packet);
  inbox->is_merging = true;
  inbox->merged_bytes = length;
}

static void take_datagrams(struct inbox *inbox, struct msghdr *header, uint8_t *bytes, size_t length) {
  struct family *family = inbox->family;
  if ((header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || length == 0) {
    count(&family->counters.malformed, 1);
    return;
  }
  const struct peer *peer = peer_behind(family, header->msg_name);
  if (peer == NULL) {
    count(&family->counters.unknown_outer, 1);
    return;
  }
  size_t step = segment_length(header);
  if (step == 0 || step > length) step = length;
  for (size_t at = 0; at < length; at += step)
    take_packet(inbox, peer, bytes + at, length - at < step ? length - at : step);
}

/* What is there, at least one; false if the socket or the device is gone. */
static bool receive(struct inbox *inbox) {
  struct family *family = inbox->family;
  prepare(inbox);
  int received = recvmmsg(family->socket, inbox->calls, MAX_DATAGRAMS, MSG_WAITFORONE, NULL);
  count(&family->counters.socket_receives, 1);
  /* An error of the way, reported by ICMP or by the underlay's link, ends nothing. */
  if (received < 0) return errno != EBADF && errno != ENOTSOCK;
  pthread_rwlock_rdlock(&family->peers.lock);
  inbox->source_peer = NULL;
  for (int i = 0; i < received; i++)
    take_datagrams(inbox, &inbox->calls[i].msg_hdr, inbox->bytes[i], inbox->calls[i].msg_len);
  flush(inbox);
  pthread_rwlock_unlock(&family->peers.lock);
  return !inbox->is_gone;
}

void *carry_in(void *family) {
  struct inbox *inbox = calloc(1, sizeof(*inbox));
  if (inbox == NULL) return NULL;
  inbox->family = family;
  inbox->merge.room = inbox->merged;
  while (receive(inbox)) continue;
  return NULL;
}
