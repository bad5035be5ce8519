/* Checksums of packets, and their parsing: RFC 791, RFC 8200. */
#include "tunnel-packet.h"

#include <string.h>

#define ICMP_ECHO_REQUEST 8

uint64_t sum_pseudo_header(const struct packet *packet, uint8_t protocol, size_t transport_length) {
  size_t address_length = packet->version == 4 ? 4 : 16;
  uint8_t rest[8] = {0};
  put32(rest, (uint32_t)transport_length);
  rest[7] = protocol;
  uint64_t sum = sum_bytes(0, packet->source, 2 * address_length);
  return sum_bytes(sum, rest, sizeof(rest));
}

static void write_checksum(uint8_t *at, uint64_t sum) {
  uint16_t checksum = (uint16_t)~sum_fold(sum);
  memcpy(at, &checksum, sizeof(checksum));
}

void finish_ipv4_header(uint8_t *header) {
  put16(header + 10, 0);
  write_checksum(header + 10, sum_bytes(0, header, (size_t)(header[0] & 15) * 4));
}

static bool parse_ipv4(struct packet *packet) {
  const uint8_t *at = packet->at;
  if (packet->length < IPV4_HEADER_BYTES || at[0] >> 4 != 4) return false;
  size_t header_length = (size_t)(at[0] & 15) * 4;
  if (header_length < IPV4_HEADER_BYTES || header_length > packet->length) return false;
  if (get16(at + 2) != packet->length) return false;
  packet->protocol = at[9];
  packet->source = at + 12;
  packet->destination = at + 16;
  bool is_fragment = (get16(at + 6) & 0x3fff) != 0;
  packet->transport = is_fragment ? 0 : header_length;
  return true;
}

static bool parse_ipv6(struct packet *packet) {
  const uint8_t *at = packet->at;
  if (packet->length < IPV6_HEADER_BYTES || at[0] >> 4 != 6) return false;
  if ((size_t)get16(at + 4) + IPV6_HEADER_BYTES != packet->length) return false;
  packet->protocol = at[6];
  packet->source = at + 8;
  packet->destination = at + 24;
  packet->transport = IPV6_HEADER_BYTES;
  return true;
}

bool packet_parse(uint8_t *bytes, size_t length, int version, struct packet *out) {
  *out = (struct packet){.at = bytes, .length = length, .version = version};
  if (!(version == 4 ? parse_ipv4(out) : parse_ipv6(out))) return false;
  size_t least = out->protocol == PROTOCOL_TCP ? TCP_HEADER_BYTES : UDP_HEADER_BYTES;
  bool is_known = out->protocol == PROTOCOL_TCP || out->protocol == PROTOCOL_UDP;
  if (!is_known || length - out->transport < least) out->transport = 0;
  return true;
}

bool packet_complete(const struct virtio_net_hdr *header, uint8_t *bytes, size_t length) {
  if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0) return true;
  size_t start = header->csum_start;
  size_t place = start + header->csum_offset;
  if (place + 2 > length) return false;
  /* The field holds the pseudo header's sum. */
  write_checksum(bytes + place, sum_bytes(0, bytes + start, length - start));
  /* RFC 768: 0 would say that there is none. Only UDP's field lies at 6. */
  if (header->csum_offset == 6 && get16(bytes + place) == 0) put16(bytes + place, 0xffff);
  return true;
}

static size_t put_ipv4_around(uint8_t *out, const struct packet *packet, size_t quoted) {
  size_t length = IPV4_HEADER_BYTES + 8 + quoted;
  memset(out, 0, IPV4_HEADER_BYTES + 8);
  out[0] = 0x45;
  put16(out + 2, (uint16_t)length);
  out[8] = 64;
  out[9] = PROTOCOL_ICMP;
  memcpy(out + 12, packet->destination, 4);
  memcpy(out + 16, packet->source, 4);
  finish_ipv4_header(out);
  /* RFC 792: destination unreachable, code 0 (net). */
  out[20] = 3;
  memcpy(out + 28, packet->at, quoted);
  write_checksum(out + 22, sum_bytes(0, out + 20, 8 + quoted));
  return length;
}

static size_t put_ipv6_around(uint8_t *out, const struct packet *packet, size_t quoted) {
  size_t length = IPV6_HEADER_BYTES + 8 + quoted;
  memset(out, 0, IPV6_HEADER_BYTES + 8);
  out[0] = 0x60;
  put16(out + 4, (uint16_t)(8 + quoted));
  out[6] = PROTOCOL_ICMPV6;
  out[7] = 64;
  memcpy(out + 8, packet->destination, 16);
  memcpy(out + 24, packet->source, 16);
  /* RFC 4443 section 3.1: type 1, code 0, no route to destination. */
  out[40] = 1;
  memcpy(out + 48, packet->at, quoted);
  struct packet answer = {.version = 6, .source = out + 8};
  uint64_t sum = sum_pseudo_header(&answer, PROTOCOL_ICMPV6, 8 + quoted);
  write_checksum(out + 42, sum_bytes(sum, out + 40, 8 + quoted));
  return length;
}

size_t unreachable_answer(const struct packet *packet, uint8_t *out, size_t room) {
  if (packet->version == 4) {
    size_t header_length = (size_t)(packet->at[0] & 15) * 4;
    size_t quoted = header_length + 8;
    bool is_later_fragment = (get16(packet->at + 6) & 0x1fff) != 0;
    /* RFC 1122 section 3.2.2: not about ICMP but for questions, later fragments, group or broadcast addresses. */
    if (quoted > packet->length || is_later_fragment || packet->destination[0] >= 224) return 0;
    if (packet->protocol == PROTOCOL_ICMP && packet->at[header_length] != ICMP_ECHO_REQUEST) return 0;
    if (packet->source[0] == 0 || packet->source[0] >= 224) return 0;
    return IPV4_HEADER_BYTES + 8 + quoted > room ? 0 : put_ipv4_around(out, packet, quoted);
  }
  /* RFC 4443 section 2.4: not about ICMP errors, to or from groups; as much of the packet as fits 1280 bytes. */
  bool is_error = packet->protocol == PROTOCOL_ICMPV6 && (packet->length < 41 || packet->at[40] < 128);
  if (is_error || packet->destination[0] == 0xff || packet->source[0] == 0xff || packet->source[0] == 0) return 0;
  size_t quoted = packet->length < 1232 ? packet->length : 1232;
  return IPV6_HEADER_BYTES + 8 + quoted > room ? 0 : put_ipv6_around(out, packet, quoted);
}
