/*
 * The pure parts of the tunnel as a filter for tests. A request on standard input is a letter, a length and so many bytes; each answer
 * is a count and so many byte strings, each with its length before it. All numbers have 32 bits, big-endian. A refusal is a count of
 * 0xffffffff. Every packet lies in memory of exactly its size, so that the sanitizer sees a byte too many.
 *   S  virtio header, packet: its segments
 *   C  virtio header, packet: the packet with its checksum completed
 *   M  IP version, whether UDP is merged (a byte each), packets with their lengths: what is written to the device
 *   U  packet: the answer about an unreachable destination
 *   P  IP version, operations of 34 bytes (letter, prefix, its length, outer): for each `f` the outer address found, or nothing
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED 0xffffffffu
#define OPERATION_BYTES 34

struct input {
  uint8_t *at;
  size_t left;
};

static void put_number(uint32_t value) {
  uint8_t bytes[4];
  put32(bytes, value);
  fwrite(bytes, 1, sizeof(bytes), stdout);
}

static void put_bytes(const uint8_t *bytes, size_t length) {
  put_number((uint32_t)length);
  if (length > 0) fwrite(bytes, 1, length, stdout);
}

static uint8_t *copy_of(const uint8_t *bytes, size_t length) {
  uint8_t *copy = malloc(length);
  if (copy == NULL) abort();
  if (length > 0) memcpy(copy, bytes, length);
  return copy;
}

static uint8_t *take(struct input *input, size_t length) {
  if (length > input->left) abort();
  uint8_t *at = input->at;
  input->at += length;
  input->left -= length;
  return at;
}

static void do_segments(struct input input) {
  struct virtio_net_hdr header;
  struct segmentation cut;
  memcpy(&header, take(&input, sizeof(header)), sizeof(header));
  uint8_t *packet = copy_of(input.at, input.left);
  if (!segmentation_begin(&cut, &header, packet, input.left)) {
    put_number(REFUSED);
  } else {
    size_t length;
    put_number((uint32_t)segmentation_left(&cut));
    while ((length = segmentation_length(&cut)) > 0) {
      uint8_t *one = malloc(length);
      if (one == NULL) abort();
      segmentation_next(&cut, one);
      put_bytes(one, length);
      free(one);
    }
  }
  free(packet);
}

static void do_complete(struct input input) {
  struct virtio_net_hdr header;
  memcpy(&header, take(&input, sizeof(header)), sizeof(header));
  uint8_t *packet = copy_of(input.at, input.left);
  if (packet_complete(&header, packet, input.left)) {
    put_number(1);
    put_bytes(packet, input.left);
  } else {
    put_number(REFUSED);
  }
  free(packet);
}

/* Into memory, since the count comes first. */
struct written {
  uint8_t *bytes;
  size_t length;
  uint32_t count;
};

static void write_out(struct merge *merge, struct written *written) {
  merge_finish(merge);
  uint8_t *length_at = written->bytes + written->length;
  written->length += 4;
  size_t total = 0;
  for (int i = 0; i < 2; i++) {
    memcpy(written->bytes + written->length + total, merge->parts[i].iov_base, merge->parts[i].iov_len);
    total += merge->parts[i].iov_len;
  }
  put32(length_at, (uint32_t)total);
  written->length += total;
  written->count++;
}

static void do_merge(struct input input) {
  struct written written = {.bytes = malloc(input.left * 20 + 64)};
  struct merge merge = {.room = malloc(IP_MAX_BYTES)};
  uint8_t *copies[4096];
  size_t copy_count = 0;
  bool is_merging = false;
  int version = *take(&input, 1);
  bool udp = *take(&input, 1) != 0;
  while (input.left > 0 && copy_count < 4096) {
    size_t length = get32(take(&input, 4));
    struct packet packet;
    uint8_t *bytes = copies[copy_count++] = copy_of(take(&input, length), length);
    if (!packet_parse(bytes, length, version, &packet)) continue;
    if (is_merging && merge_append(&merge, &packet, udp)) continue;
    if (is_merging) write_out(&merge, &written);
    merge_begin(&merge, &packet);
    is_merging = true;
  }
  if (is_merging) write_out(&merge, &written);
  put_number(written.count);
  fwrite(written.bytes, 1, written.length, stdout);
  free(written.bytes);
  free(merge.room);
  while (copy_count > 0) free(copies[--copy_count]);
}

static void do_unreachable(struct input input) {
  struct packet packet;
  uint8_t *bytes = copy_of(input.at, input.left);
  uint8_t *answer = malloc(1280);
  int version = input.left > 0 ? bytes[0] >> 4 : 0;
  bool parsed = (version == 4 || version == 6) && packet_parse(bytes, input.left, version, &packet);
  size_t length = parsed ? unreachable_answer(&packet, answer, 1280) : 0;
  if (length > 0) {
    put_number(1);
    put_bytes(answer, length);
  } else {
    put_number(REFUSED);
  }
  free(answer);
  free(bytes);
}

static void do_peers(struct input input) {
  struct peers peers;
  int version = *take(&input, 1);
  if (!peers_begin(&peers)) abort();
  put_number((uint32_t)(input.left / OPERATION_BYTES));
  while (input.left > 0) {
    const uint8_t *operation = take(&input, OPERATION_BYTES);
    struct address prefix, outer;
    memcpy(prefix.bytes, operation + 1, 16);
    memcpy(outer.bytes, operation + 18, 16);
    const struct peer *found = NULL;
    if (operation[0] == 's') peers_set(&peers, version, &prefix, operation[17], &outer);
    else if (operation[0] == 'r') peers_remove(&peers, &prefix, operation[17]);
    else if (operation[0] == 'n') peers_renew(&peers);
    else if (operation[0] == 'd') peers_drop_old(&peers);
    else found = peers_find(&peers, prefix.bytes, version);
    put_bytes(found == NULL ? NULL : found->outer.bytes, found == NULL ? 0 : address_bytes(version));
  }
  free(peers.table);
}

int main(void) {
  uint8_t head[5];
  while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
    struct input input = {.left = get32(head + 1)};
    uint8_t *bytes = input.at = malloc(input.left);
    if (fread(bytes, 1, input.left, stdin) != input.left) return 1;
    if (head[0] == 'S') do_segments(input);
    else if (head[0] == 'C') do_complete(input);
    else if (head[0] == 'M') do_merge(input);
    else if (head[0] == 'U') do_unreachable(input);
    else if (head[0] == 'P') do_peers(input);
    else return 1;
    free(bytes);
    fflush(stdout);
  }
  return 0;
}
