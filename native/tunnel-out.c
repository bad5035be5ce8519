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
#define MAX_MESSAGE_BYTES 65000
/*
 * With so much waiting no more is read: two large packets. The kernel's way out costs less the second time in a row, and what was read
 * and is sent should stay in the processor's cache.
 */
#define ENOUGH_BYTES 120000
#define WIRE_BYTES (ENOUGH_BYTES + 2 * IP_MAX_BYTES)
#define ANSWERS_PER_SECOND 100

/* Datagrams for one node, behind each other: all of one size but the last, which may be shorter. */
struct message {
  struct address outer;
  struct iovec datagrams;
  size_t segment_length;
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
  size_t wire_bytes;
  /* The way out takes no segments. */
  bool one_by_one;
  time_t answers_since;
  unsigned answers;
  /* What was read last. */
  uint8_t packet[IP_MAX_BYTES];
  /* The datagrams of all messages. */
  uint8_t wire[WIRE_BYTES];
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
  size_t length = message->segment_length;
  for (size_t from = 0; from < message->datagrams.iov_len; from += length) {
    if (message->datagrams.iov_len - from < length) length = message->datagrams.iov_len - from;
    struct iovec part = {(uint8_t *)message->datagrams.iov_base + from, length};
    struct msghdr single = {
        .msg_name = header->msg_name, .msg_namelen = header->msg_namelen, .msg_iov = &part, .msg_iovlen = 1};
    count(&family->counters.socket_sends, 1);
    if (sendmsg(family->socket, &single, MSG_NOSIGNAL) >= 0) note_sent(family, 1, length);
    else count(&family->counters.send_failed, 1);
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
    for (int i = 0; i < sent; i++, done++)
      note_sent(family, outbox->messages[done].segments, outbox->messages[done].datagrams.iov_len);
  }
  outbox->count = outbox->wire_bytes = 0;
}

static bool joins(const struct message *message, const struct address *outer, size_t length) {
  return !message->closed && length <= message->segment_length && message->segments < message->limit &&
         message->datagrams.iov_len + length <= MAX_MESSAGE_BYTES &&
         memcmp(&message->outer, outer, sizeof(*outer)) == 0;
}

static void begin_message(struct outbox *outbox, const struct address *outer, size_t length, size_t limit) {
  struct message *fresh = &outbox->messages[outbox->count];
  fresh->outer = *outer;
  fresh->datagrams = (struct iovec){outbox->wire + outbox->wire_bytes, 0};
  fresh->segment_length = length;
  fresh->segments = 0;
  fresh->limit = outbox->one_by_one ? 1 : limit;
  fresh->closed = false;
  outbox->calls[outbox->count++].msg_hdr = (struct msghdr){.msg_iov = &fresh->datagrams, .msg_iovlen = 1};
}

/* Where a datagram of that length is to be written: it goes out with those before it if it can join them. What waited may be sent. */
static uint8_t *outbox_add(struct outbox *outbox, const struct address *outer, size_t length, size_t limit) {
  bool is_full = outbox->count == MAX_MESSAGES || WIRE_BYTES - outbox->wire_bytes < length;
  if (is_full) outbox_flush(outbox);
  if (outbox->count == 0 || !joins(&outbox->messages[outbox->count - 1], outer, length))
    begin_message(outbox, outer, length, limit);
  struct message *message = &outbox->messages[outbox->count - 1];
  uint8_t *at = outbox->wire + outbox->wire_bytes;
  message->datagrams.iov_len += length;
  message->segments++;
  message->closed = length < message->segment_length;
  outbox->wire_bytes += length;
  return at;
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
  size_t share = even_share(segmentation_left(cut), segmentation_length(cut));
  size_t length;
  while ((length = segmentation_length(cut)) > 0) segmentation_next(cut, outbox_add(outbox, outer, length, share));
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
  memcpy(outbox_add(outbox, &outer, length, MAX_SEGMENTS), bytes, length);
}

/* Sends what waits, or waits for the device. */
static void flush_or_wait(struct outbox *outbox) {
  struct pollfd readable = {.fd = outbox->family->device, .events = POLLIN};
  if (outbox->count > 0) outbox_flush(outbox);
  else ppoll(&readable, 1, NULL, NULL);
}

/* One packet, or what is there is waited for; false if the device is gone. */
static bool read_packet(struct outbox *outbox) {
  struct family *family = outbox->family;
  struct virtio_net_hdr header;
  const struct iovec parts[2] = {{&header, sizeof(header)}, {outbox->packet, sizeof(outbox->packet)}};
  ssize_t length = readv(family->device, parts, 2);
  if (length < 0) {
    if (errno != EAGAIN) return errno == EINTR;
    flush_or_wait(outbox);
    return true;
  }
  count(&family->counters.device_reads, 1);
  if ((size_t)length < sizeof(header)) return false;
  take_packet(outbox, &header, outbox->packet, (size_t)length - sizeof(header));
  if (outbox->wire_bytes >= ENOUGH_BYTES) outbox_flush(outbox);
  return true;
}

void *carry_out(void *family) {
  struct outbox *outbox = calloc(1, sizeof(*outbox));
  if (outbox == NULL) return NULL;
  outbox->family = family;
  while (read_packet(outbox)) continue;
  return NULL;
}
