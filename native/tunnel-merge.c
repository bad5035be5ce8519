/*
 * Puts packets of one flow together again, as the kernel's own receive offload does and under the same conditions: nothing but
 * length, sequence number, IPv4 identification, PSH and checksums may differ, and each checksum is right. So what leaves the kernel
 * at the end is what came, byte for byte.
 */
#include "tunnel-packet.h"

#include <string.h>

static size_t transport_header_length(const struct packet *packet) {
  if (packet->protocol == PROTOCOL_UDP) return UDP_HEADER_BYTES;
  return (size_t)(packet->at[packet->transport + 12] >> 4) * 4;
}

/* The header's length if the packet can be one of several, else 0. */
static size_t mergeable_header(const struct packet *packet) {
  if (packet->transport == 0) return 0;
  const uint8_t *at = packet->at;
  /* No IPv4 options; of the fragment field nothing but "don't fragment". */
  if (packet->version == 4 && (at[0] != 0x45 || (get16(at + 6) & ~0x4000) != 0)) return 0;
  const uint8_t *transport = at + packet->transport;
  size_t own = transport_header_length(packet);
  if (packet->protocol == PROTOCOL_UDP) {
    if (get16(transport + 4) != packet->length - packet->transport) return 0;
  } else if (own < TCP_HEADER_BYTES || (transport[13] & ~TCP_PSH) != TCP_ACK) {
    return 0;
  }
  return packet->transport + own < packet->length ? packet->transport + own : 0;
}

void merge_begin(struct merge *merge, const struct packet *first) {
  merge->first = *first;
  merge->count = 1;
  merge->header_length = mergeable_header(first);
  merge->closed = merge->header_length == 0;
  merge->known_sound = false;
  merge->tcp = first->protocol == PROTOCOL_TCP;
  merge->pushed = false;
  if (merge->closed) return;
  merge->segment_length = merge->payload_length = first->length - merge->header_length;
  merge->closed = merge->tcp && (first->at[first->transport + 13] & TCP_PSH) != 0;
}

static bool same_ip_header(const struct merge *merge, const struct packet *packet) {
  const uint8_t *a = merge->first.at, *b = packet->at;
  if (packet->version == 6) return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, 34) == 0;
  bool is_same = a[1] == b[1] && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, 8) == 0;
  /* Without "don't fragment" the identification counts, and the kernel will count up from the first one's. */
  bool is_atomic = (get16(a + 6) & 0x4000) != 0;
  return is_same && (is_atomic || get16(b + 4) == (uint16_t)(get16(a + 4) + merge->count));
}

static bool continues(const struct merge *merge, const struct packet *packet) {
  const uint8_t *a = merge->first.at + merge->first.transport, *b = packet->at + packet->transport;
  if (memcmp(a, b, 4) != 0) return false;
  if (!merge->tcp) return true;
  uint32_t expected = get32(a + 4) + (uint32_t)merge->payload_length;
  size_t options = merge->header_length - merge->first.transport - TCP_HEADER_BYTES;
  return get32(b + 4) == expected && memcmp(a + 8, b + 8, 4) == 0 && a[12] == b[12] && memcmp(a + 14, b + 14, 2) == 0 &&
         memcmp(a + 18, b + 18, 2) == 0 && memcmp(a + TCP_HEADER_BYTES, b + TCP_HEADER_BYTES, options) == 0;
}

/* Copies the payload to `to`; true if the packet's checksums are right. UDP without a checksum has none that is right. */
static bool copy_sound(const struct packet *packet, size_t header_length, uint8_t *to) {
  const uint8_t *transport = packet->at + packet->transport;
  size_t payload_length = packet->length - header_length;
  if (packet->version == 4 && sum_fold(sum_bytes(0, packet->at, packet->transport)) != 0xffff) return false;
  if (packet->protocol == PROTOCOL_UDP && get16(transport + 6) == 0) return false;
  uint64_t sum = sum_pseudo_header(packet, packet->protocol, packet->length - packet->transport);
  sum = sum_bytes(sum, transport, header_length - packet->transport);
  return sum_fold(sum_copy(sum, to, packet->at + header_length, payload_length)) == 0xffff;
}

/* The first packet moves to where the others will follow it. */
static bool move_first(struct merge *merge) {
  struct packet *first = &merge->first;
  memcpy(merge->room, first->at, merge->header_length);
  if (!copy_sound(first, merge->header_length, merge->room + merge->header_length)) return false;
  merge->known_sound = true;
  first->source = merge->room + (first->source - first->at);
  first->destination = merge->room + (first->destination - first->at);
  first->at = merge->room;
  return true;
}

bool merge_append(struct merge *merge, const struct packet *packet, bool udp) {
  if (merge->closed || merge->count >= MAX_SEGMENTS || (!merge->tcp && !udp)) return false;
  const struct packet *first = &merge->first;
  if (packet->version != first->version || packet->protocol != first->protocol) return false;
  size_t header_length = mergeable_header(packet);
  if (header_length != merge->header_length) return false;
  size_t payload_length = packet->length - header_length;
  if (payload_length > merge->segment_length) return false;
  if (header_length + merge->payload_length + payload_length > IP_MAX_BYTES) return false;
  if (!same_ip_header(merge, packet) || !continues(merge, packet)) return false;
  if (!merge->known_sound && !move_first(merge)) {
    merge->closed = true;
    return false;
  }
  if (!copy_sound(packet, header_length, merge->room + header_length + merge->payload_length)) return false;
  merge->pushed = merge->tcp && (packet->at[packet->transport + 13] & TCP_PSH) != 0;
  merge->closed = merge->pushed || payload_length < merge->segment_length;
  merge->count++;
  merge->payload_length += payload_length;
  return true;
}

static void write_merged_headers(const struct merge *merge) {
  const struct packet *first = &merge->first;
  uint8_t *transport = first->at + first->transport;
  size_t length = merge->header_length + merge->payload_length;
  size_t transport_length = length - first->transport;
  if (first->version == 4) {
    put16(first->at + 2, (uint16_t)length);
    finish_ipv4_header(first->at);
  } else {
    put16(first->at + 4, (uint16_t)(length - IPV6_HEADER_BYTES));
  }
  if (!merge->tcp) put16(transport + 4, (uint16_t)transport_length);
  else if (merge->pushed) transport[13] |= TCP_PSH;
  uint16_t pseudo = sum_fold(sum_pseudo_header(first, first->protocol, transport_length));
  memcpy(transport + (merge->tcp ? 16 : 6), &pseudo, sizeof(pseudo));
}

void merge_finish(struct merge *merge) {
  const struct packet *first = &merge->first;
  struct virtio_net_hdr *header = &merge->header;
  memset(header, 0, sizeof(*header));
  merge->parts[0] = (struct iovec){header, sizeof(*header)};
  merge->parts[1] = (struct iovec){first->at, first->length};
  if (merge->count == 1) {
    if (merge->known_sound) header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
    return;
  }
  write_merged_headers(merge);
  merge->parts[1].iov_len = merge->header_length + merge->payload_length;
  header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  header->gso_type = !merge->tcp            ? VIRTIO_NET_HDR_GSO_UDP_L4
                     : first->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4
                                           : VIRTIO_NET_HDR_GSO_TCPV6;
  header->hdr_len = (uint16_t)merge->header_length;
  header->gso_size = (uint16_t)merge->segment_length;
  header->csum_start = (uint16_t)first->transport;
  header->csum_offset = merge->tcp ? 16 : 6;
}
