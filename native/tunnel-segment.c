/*
 * Cuts a packet that the kernel left whole (virtio-net GSO) into those that go on the wire, with headers and checksums of their own,
 * as RFC 9293 and RFC 768 have them. Payload is copied while it is added up, which costs little more, and far less than to let the
 * kernel gather headers and payloads.
 */
#include "tunnel-packet.h"

#include <string.h>

static inline size_t checksum_place(const struct segmentation *cut) { return cut->tcp ? 16 : 6; }

/* The kernel says where the transport header is, which spares a walk through IPv6 extension headers. */
static bool find_transport(struct segmentation *cut, const struct virtio_net_hdr *header) {
  const struct packet *packet = &cut->packet;
  size_t least = packet->version == 4 ? (size_t)(packet->at[0] & 15) * 4 : IPV6_HEADER_BYTES;
  size_t start = header->csum_start;
  if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || start < least) return false;
  if (packet->version == 4 && start != least) return false;
  cut->transport = start;
  if (start + (cut->tcp ? TCP_HEADER_BYTES : UDP_HEADER_BYTES) > packet->length) return false;
  size_t own = cut->tcp ? (size_t)(packet->at[start + 12] >> 4) * 4 : UDP_HEADER_BYTES;
  if (own < (cut->tcp ? TCP_HEADER_BYTES : UDP_HEADER_BYTES)) return false;
  cut->header_length = start + own;
  return cut->header_length <= MAX_HEADER_BYTES && cut->header_length < packet->length;
}

/*
 * The field holds the sum over the pseudo header with the large packet's length, which is taken off again: adding the complement
 * subtracts.
 */
static uint64_t pseudo_sum(const struct segmentation *cut) {
  uint16_t field, length;
  memcpy(&field, cut->packet.at + cut->transport + checksum_place(cut), sizeof(field));
  put16((uint8_t *)&length, (uint16_t)(cut->packet.length - cut->transport));
  return (uint64_t)field + (uint16_t)~length;
}

bool segmentation_begin(struct segmentation *cut, const struct virtio_net_hdr *header, uint8_t *bytes, size_t length) {
  memset(cut, 0, sizeof(*cut));
  if (length == 0) return false;
  int version = bytes[0] >> 4;
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_TCPV4:
  case VIRTIO_NET_HDR_GSO_TCPV6:
    cut->tcp = true;
    break;
  case VIRTIO_NET_HDR_GSO_UDP_L4:
    break;
  default:
    return false;
  }
  if (version != 4 && version != 6) return false;
  if (!packet_parse(bytes, length, version, &cut->packet) || !find_transport(cut, header)) return false;
  cut->segment_length = header->gso_size;
  cut->payload_length = length - cut->header_length;
  cut->first_id = version == 4 ? get16(bytes + 4) : 0;
  cut->pseudo_sum = pseudo_sum(cut);
  return cut->segment_length > 0 && cut->segment_length + cut->header_length <= IP_MAX_BYTES;
}

size_t segmentation_left(const struct segmentation *cut) {
  return (cut->payload_length - cut->done + cut->segment_length - 1) / cut->segment_length;
}

static void write_ip_header(const struct segmentation *cut, uint8_t *header, size_t length) {
  if (cut->packet.version == 6) {
    put16(header + 4, (uint16_t)(length - IPV6_HEADER_BYTES));
    return;
  }
  put16(header + 2, (uint16_t)length);
  put16(header + 4, (uint16_t)(cut->first_id + cut->done / cut->segment_length));
  finish_ipv4_header(header);
}

static size_t next_payload(const struct segmentation *cut) {
  size_t left = cut->payload_length - cut->done;
  return left < cut->segment_length ? left : cut->segment_length;
}

size_t segmentation_length(const struct segmentation *cut) {
  size_t payload = next_payload(cut);
  return payload == 0 ? 0 : cut->header_length + payload;
}

void segmentation_next(struct segmentation *cut, uint8_t *to) {
  size_t payload = next_payload(cut);
  uint8_t *transport = to + cut->transport;
  size_t own = cut->header_length - cut->transport;
  uint8_t length[2];
  memcpy(to, cut->packet.at, cut->header_length);
  write_ip_header(cut, to, cut->header_length + payload);
  put16(length, (uint16_t)(own + payload));
  if (cut->tcp) {
    put32(transport + 4, get32(transport + 4) + (uint32_t)cut->done);
    if (cut->done + payload < cut->payload_length) transport[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
    /* RFC 3168 section 6.1.2: the window was reduced once. */
    if (cut->done > 0) transport[13] &= (uint8_t)~TCP_CWR;
  } else {
    memcpy(transport + 4, length, sizeof(length));
  }
  put16(transport + checksum_place(cut), 0);
  uint64_t sum = sum_bytes(cut->pseudo_sum, length, sizeof(length));
  sum = sum_bytes(sum, transport, own);
  sum = sum_copy(sum, to + cut->header_length, cut->packet.at + cut->header_length + cut->done, payload);
  uint16_t checksum = (uint16_t)~sum_fold(sum);
  if (checksum == 0 && !cut->tcp) checksum = 0xffff;
  memcpy(transport + checksum_place(cut), &checksum, sizeof(checksum));
  cut->done += payload;
}
