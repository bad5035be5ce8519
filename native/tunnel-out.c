/*
 * From the device to the nodes. What the kernel left whole is cut, and datagrams of one size to one node that follow each other go
 * out in one system call and through the kernel as one (UDP_SEGMENT); on the wire each is a packet of its own all the same.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define MAX_MESSAGES 64
#define MAX_PARTS 1024
#define MAX_MESSAGE_BYTES 65000
#define READ_BYTES (sizeof(struct virtio_net_hdr) + IP_MAX_BYTES)
#define ARENA_BYTES (4 * READ_BYTES)
#define HEADERS_BYTES (MAX_PARTS * MAX_HEADER_BYTES / 2)
/* So much waits at most for more to join it. */
#define ENOUGH_BYTES 60000
#define ANSWERS_PER_SECOND 100

/* Datagrams for one node: all of one size but the last, which may be shorter. */
struct message {
  struct address outer;
  size_t segment_length;
  size_t bytes;
  size_t segments;
  size_t limit;
  bool closed;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
  } control;
  struct sockaddr_storage to;
};

struct outbox {
  struct family *family;
  struct mmsghdr calls[MAX_MESSAGES];
  struct message messages[MAX_MESSAGES];
  size_t count;
  struct iovec parts[MAX_PARTS];
  size_t part_count;
  size_t header_bytes;
  size_t arena_bytes;
  size_t waiting_bytes;
  /* The way out takes no segments. */
  bool one_by_one;
  time_t answers_since;
  unsigned answers;
  uint8_t headers[HEADERS_BYTES];
  uint8_t arena[ARENA_BYTES];
};

static void address_message(const struct family *family, struct message *message, struct msghdr *header) {
  memset(&message->to, 0, sizeof(message->to));
  if (family->version == 4) {
    struct sockaddr_in *to = (struct sockaddr_in *)&message->to;
    to->sin_family = AF_INET;
    to->sin_port = family->port;
    memcpy(&to->sin_addr, message->outer.bytes, 4);
    header->msg_namelen = sizeof(*to);
  } else {
    struct sockaddr_in6 *to = (struct sockaddr_in6 *)&message->to;
    to->sin6_family = AF_INET6;
    to->sin6_port = family->port;
    memcpy(&to->sin6_addr, message->outer.bytes, 16);
    header->msg_namelen = sizeof(*to);
  }
  header->msg_name = &message->to;
}

static void mark_segments(struct message *message, struct msghdr *header) {
  if (message->segments < 2) return;
  header->msg_control = &message->control;
  header->msg_controllen = sizeof(message->control);
  struct cmsghdr *control = CMSG_FIRSTHDR(header);
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  uint16_t length = (uint16_t)message->segment_length;
  memcpy(CMSG_DATA(control), &length, sizeof(length));
}

static void note_sent(struct family *family, size_t packets, size_t bytes) {
  count(&family->counters.sent_packets, packets);
  count(&family->counters.sent_bytes, bytes);
}

/* Where the kernel takes no segments (a path with a smaller MTU, a card without checksums), it takes datagrams and fragments them. */
static void send_one_by_one(struct family *family, const struct message *message, const struct msghdr *header) {
  size_t from = 0;
  while (from < header->msg_iovlen) {
    size_t until = from, bytes = 0;
    while (until < header->msg_iovlen && bytes < message->segment_length) bytes += header->msg_iov[until++].iov_len;
    struct msghdr single = {.msg_name = header->msg_name,
                            .msg_namelen = header->msg_namelen,
                            .msg_iov = header->msg_iov + from,
                            .msg_iovlen = until - from};
    count(&family->counters.socket_sends, 1);
    if (sendmsg(family->socket, &single, MSG_NOSIGNAL) >= 0) note_sent(family, 1, bytes);
    else count(&family->counters.send_failed, 1);
    from = until;
  }
}

static void give_up(struct outbox *outbox, size_t index, int error) {
  const struct message *message = &outbox->messages[index];
  bool may_fit = error == EINVAL || error == EMSGSIZE || error == EIO;
  if (message->segments < 2 || !may_fit) {
    count(&outbox->family->counters.send_failed, message->segments);
    return;
  }
  if (error == EIO) outbox->one_by_one = true;
  send_one_by_one(outbox->family, message, &outbox->calls[index].msg_hdr);
}

static void outbox_flush(struct outbox *outbox) {
  struct family *family = outbox->family;
  for (size_t i = 0; i < outbox->count; i++) {
    address_message(family, &outbox->messages[i], &outbox->calls[i].msg_hdr);
    mark_segments(&outbox->messages[i], &outbox->calls[i].msg_hdr);
  }
  for (size_t done = 0; done < outbox->count;) {
    count(&family->counters.socket_sends, 1);
    int sent = sendmmsg(family->socket, outbox->calls + done, (unsigned)(outbox->count - done), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      give_up(outbox, done++, errno);
      continue;
    }
    for (int i = 0; i < sent; i++, done++) note_sent(family, outbox->messages[done].segments, outbox->messages[done].bytes);
  }
  outbox->count = outbox->part_count = outbox->header_bytes = outbox->arena_bytes = outbox->waiting_bytes = 0;
}

/* The message that a datagram can join, or a new one. */
static struct message *message_for(struct outbox *outbox, const struct address *outer, size_t length, size_t limit) {
  if (outbox->count > 0) {
    struct message *last = &outbox->messages[outbox->count - 1];
    bool fits = !last->closed && length <= last->segment_length && last->segments < last->limit &&
                last->bytes + length <= MAX_MESSAGE_BYTES;
    if (fits && memcmp(&last->outer, outer, sizeof(*outer)) == 0) return last;
  }
  struct message *fresh = &outbox->messages[outbox->count];
  struct msghdr *header = &outbox->calls[outbox->count].msg_hdr;
  fresh->outer = *outer;
  fresh->segment_length = length;
  fresh->bytes = fresh->segments = 0;
  fresh->limit = outbox->one_by_one ? 1 : limit;
  fresh->closed = false;
  memset(header, 0, sizeof(*header));
  header->msg_iov = outbox->parts + outbox->part_count;
  outbox->count++;
  return fresh;
}

static void outbox_add(struct outbox *outbox, const struct address *outer, const struct iovec *parts, size_t part_count,
                       size_t limit) {
  size_t length = 0;
  for (size_t i = 0; i < part_count; i++) length += parts[i].iov_len;
  struct message *message = message_for(outbox, outer, length, limit);
  struct msghdr *header = &outbox->calls[outbox->count - 1].msg_hdr;
  memcpy(outbox->parts + outbox->part_count, parts, part_count * sizeof(*parts));
  outbox->part_count += part_count;
  header->msg_iovlen += part_count;
  message->bytes += length;
  message->segments++;
  if (length < message->segment_length) message->closed = true;
  outbox->waiting_bytes += length;
}

static bool has_room(const struct outbox *outbox) {
  return outbox->count < MAX_MESSAGES && outbox->part_count + 2 <= MAX_PARTS &&
         outbox->header_bytes + MAX_HEADER_BYTES <= HEADERS_BYTES;
}

/* Calls of about the same size: the kernel's limit would make one large and one small. */
static size_t even_share(size_t segments, size_t length) {
  size_t most = MAX_MESSAGE_BYTES / length;
  if (most > MAX_SEGMENTS) most = MAX_SEGMENTS;
  if (most == 0) return 1;
  size_t calls = (segments + most - 1) / most;
  return (segments + calls - 1) / calls;
}

static void add_cut(struct outbox *outbox, const struct address *outer, struct segmentation *cut) {
  size_t share = even_share(segmentation_left(cut), cut->header_length + cut->segment_length);
  const uint8_t *payload;
  for (;;) {
    /* What is sent does not go away: the large packet stays where it is until all of it is out. */
    size_t arena_bytes = outbox->arena_bytes;
    if (!has_room(outbox)) outbox_flush(outbox);
    outbox->arena_bytes = arena_bytes;
    uint8_t *header = outbox->headers + outbox->header_bytes;
    struct iovec parts[2] = {{header, cut->header_length}, {NULL, 0}};
    if (!segmentation_next(cut, header, &payload, &parts[1].iov_len)) return;
    parts[1].iov_base = (void *)(uintptr_t)payload;
    outbox->header_bytes += cut->header_length;
    outbox_add(outbox, outer, parts, 2, share);
  }
}

static void answer_unreachable(struct outbox *outbox, const struct packet *packet) {
  struct family *family = outbox->family;
  struct virtio_net_hdr header = {0};
  uint8_t answer[1280];
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (now.tv_sec != outbox->answers_since) outbox->answers = 0;
  outbox->answers_since = now.tv_sec;
  size_t length = outbox->answers < ANSWERS_PER_SECOND ? unreachable_answer(packet, answer, sizeof(answer)) : 0;
  if (length == 0) return;
  outbox->answers++;
  const struct iovec parts[2] = {{&header, sizeof(header)}, {answer, length}};
  if (writev(family->device, parts, 2) < 0) count(&family->counters.device_failed, 1);
}

/* True if there is a node for the packet; else it is answered. */
static bool find_outer(struct outbox *outbox, const struct packet *packet, struct address *outer) {
  struct family *family = outbox->family;
  pthread_rwlock_rdlock(&family->peers.lock);
  const struct peer *peer = peers_find(&family->peers, packet->destination, family->version);
  if (peer != NULL) *outer = peer->outer;
  pthread_rwlock_unlock(&family->peers.lock);
  if (peer != NULL) return true;
  count(&family->counters.no_peer, 1);
  answer_unreachable(outbox, packet);
  return false;
}

static void take_packet(struct outbox *outbox, const struct virtio_net_hdr *header, uint8_t *bytes, size_t length) {
  struct family *family = outbox->family;
  struct packet packet;
  struct address outer;
  struct segmentation cut;
  /* A device that has IPv6 beside IPv4 is asked for neighbours and routers. */
  bool is_ours = packet_parse(bytes, length, family->version, &packet);
  if (!is_ours) count(&family->counters.no_peer, 1);
  if (!is_ours || !find_outer(outbox, &packet, &outer)) return;
  if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE) {
    if (segmentation_begin(&cut, header, bytes, length)) add_cut(outbox, &outer, &cut);
    else count(&family->counters.uncut, 1);
    return;
  }
  if (!packet_complete(header, bytes, length)) {
    count(&family->counters.malformed, 1);
    return;
  }
  const struct iovec part = {bytes, length};
  outbox_add(outbox, &outer, &part, 1, MAX_SEGMENTS);
}

/* One packet, or what is there is waited for; false if the device is gone. */
static bool read_packet(struct outbox *outbox) {
  struct family *family = outbox->family;
  struct virtio_net_hdr header;
  uint8_t *at = outbox->arena + outbox->arena_bytes;
  bool is_full = ARENA_BYTES - outbox->arena_bytes < READ_BYTES || outbox->waiting_bytes >= ENOUGH_BYTES;
  if (is_full || !has_room(outbox)) {
    outbox_flush(outbox);
    return true;
  }
  ssize_t length = read(family->device, at, READ_BYTES);
  if (length < 0) {
    if (errno == EINTR) return true;
    if (errno != EAGAIN) return false;
    struct pollfd readable = {.fd = family->device, .events = POLLIN};
    if (outbox->count > 0) outbox_flush(outbox);
    else ppoll(&readable, 1, NULL, NULL);
    return true;
  }
  count(&family->counters.device_reads, 1);
  if ((size_t)length < sizeof(header)) return false;
  memcpy(&header, at, sizeof(header));
  size_t packet_length = (size_t)length - sizeof(header);
  outbox->arena_bytes += (size_t)length;
  take_packet(outbox, &header, at + sizeof(header), packet_length);
  return true;
}

void *carry_out(void *family) {
  struct outbox *outbox = calloc(1, sizeof(*outbox));
  if (outbox == NULL) return NULL;
  outbox->family = family;
  while (read_packet(outbox)) continue;
  return NULL;
}
