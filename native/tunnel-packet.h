/*
 * IP packets as bytes that nobody trusts: parsed, checked, cut into segments, put together again. Pure: no system calls, no
 * allocation, and no byte is read or written outside the lengths given.
 */
#ifndef POPLIN_TUNNEL_PACKET_H
#define POPLIN_TUNNEL_PACKET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define IP_MAX_BYTES 65535
#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define TCP_HEADER_BYTES 20
#define UDP_HEADER_BYTES 8
/* Of IP and TCP together, with room for options; what has more is not cut. */
#define MAX_HEADER_BYTES 192
/* As many datagrams as a kernel takes with UDP_SEGMENT in one call, UDP_MAX_SEGMENTS before Linux 6.9. */
#define MAX_SEGMENTS 64

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_CWR = 0x80 };
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* A whole IP packet: its length is what its header says. */
struct packet {
  uint8_t *at;
  size_t length;
  /* 4 or 6. */
  int version;
  /* Where the TCP or UDP header begins; 0 for a fragment, with IPv6 extension headers, and for all else. */
  size_t transport;
  uint8_t protocol;
  /* 4 or 16 bytes each. */
  const uint8_t *source;
  const uint8_t *destination;
};

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static inline void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}
static inline void put32(uint8_t *at, uint32_t value) {
  put16(at, (uint16_t)(value >> 16));
  put16(at + 2, (uint16_t)value);
}

/* RFC 1071: adds bytes to a one's complement sum, in memory order; the first byte has an even place. */
uint64_t sum_bytes(uint64_t sum, const uint8_t *at, size_t length);
/* The same, and copies the bytes, which must not overlap. */
uint64_t sum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t length);
/* The sum as 16 bits in memory order, not inverted: written as it is, it is part of a checksum. */
uint16_t sum_fold(uint64_t sum);
/* The pseudo header of RFC 9293 section 3.1 and RFC 8200 section 8.1. */
uint64_t sum_pseudo_header(const struct packet *packet, uint8_t protocol, size_t transport_length);
/* Computes an IPv4 header's checksum. */
void finish_ipv4_header(uint8_t *header);

/* False if the bytes are not one whole packet of that IP version. */
bool packet_parse(uint8_t *bytes, size_t length, int version, struct packet *out);
/* Fills in the checksum that the kernel left open; false if the header names a place outside the packet. */
bool packet_complete(const struct virtio_net_hdr *header, uint8_t *bytes, size_t length);

/* A packet from the kernel that is larger than any link carries, on its way to become several. */
struct segmentation {
  struct packet packet;
  size_t transport;
  size_t header_length;
  size_t payload_length;
  size_t segment_length;
  size_t done;
  /* Of the pseudo header without its length, as the kernel has it: an IPv6 routing header makes another destination count. */
  uint64_t pseudo_sum;
  uint16_t first_id;
  bool tcp;
};

/* False if the header and the bytes do not describe a packet that can be cut. */
bool segmentation_begin(struct segmentation *cut, const struct virtio_net_hdr *header, uint8_t *bytes, size_t length);
/* The next packet's length, 0 when there is no more. */
size_t segmentation_length(const struct segmentation *cut);
/* Writes the next packet, which there must be, to `to`: segmentation_length bytes. */
void segmentation_next(struct segmentation *cut, uint8_t *to);
/* How many are still to come. */
size_t segmentation_left(const struct segmentation *cut);

/* Packets of one flow that follow each other, to be given to the kernel as one. */
struct merge {
  /* IP_MAX_BYTES, where they are put together; a packet that stays alone stays where it is. */
  uint8_t *room;
  struct packet first;
  size_t header_length;
  /* Of the first one, and of all others but the last. */
  size_t segment_length;
  size_t payload_length;
  size_t count;
  /* Nothing may follow any more. */
  bool closed;
  bool tcp;
  bool known_sound;
  bool pushed;
  struct iovec parts[2];
  struct virtio_net_hdr header;
};

/* Begins with a packet, whatever it is; `room` is there already. */
void merge_begin(struct merge *merge, const struct packet *first);
/* Takes the packet if it continues the flow, `udp` telling whether the kernel takes merged UDP; else false, and nothing is changed. */
bool merge_append(struct merge *merge, const struct packet *packet, bool udp);
/* Makes the headers right; then `parts` are what to write. */
void merge_finish(struct merge *merge);

/*
 * Writes an ICMP answer to `out` that says there is no route for this packet; its length, or 0 if none is due. It comes from the
 * packet's destination: the kernel takes no packet from outside whose source is an address of its own.
 */
size_t unreachable_answer(const struct packet *packet, uint8_t *out, size_t room);

#endif
