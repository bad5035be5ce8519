/*
 * Orders of the agent, one a line, on a unix socket:
 *   begin            the list of all peers follows; what is set from here on counts as new
 *   set PREFIX OUTER packets of the prefix go to, and come from, the node at that address
 *   remove PREFIX
 *   commit           the list is complete: what was set before `begin` goes          answer: committed N
 *   counters                                                                         answer: counters JSON
 *   stop             ends the process
 * The greeting is `poplin-tunnel PROTOCOL PID CONFIGURATION`; a line that is no order is answered by `error TEXT`.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CLIENTS 8
#define LINE_BYTES 256
#define ANSWER_BYTES 2048

struct client {
  int fd;
  size_t length;
  char line[LINE_BYTES];
};

static struct client clients[MAX_CLIENTS];

static void drop_client(struct client *client) {
  close(client->fd);
  client->fd = -1;
  client->length = 0;
}

/* Who does not read its answers is left alone. */
static void answer(struct client *client, const char *text) {
  size_t length = strlen(text);
  ssize_t sent = send(client->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 || (size_t)sent != length) drop_client(client);
}

static struct family *family_of(struct tunnel *tunnel, int version) {
  for (size_t i = 0; i < tunnel->family_count; i++)
    if (tunnel->families[i].version == version) return &tunnel->families[i];
  return NULL;
}

/* The family of an address or prefix, 0 if it is none. Host bits of a prefix are cleared. */
static int read_address(char *text, struct address *out, unsigned *length) {
  memset(out, 0, sizeof(*out));
  int version = strchr(text, ':') != NULL ? 6 : 4;
  char *slash = strchr(text, '/');
  unsigned bits = version == 4 ? 32 : 128;
  *length = bits;
  if (slash != NULL) {
    char *end;
    unsigned long given = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || given > bits) return 0;
    *length = (unsigned)given;
    *slash = '\0';
  }
  if (inet_pton(version == 4 ? AF_INET : AF_INET6, text, out->bytes) != 1) return 0;
  for (unsigned bit = *length; bit < bits; bit++) out->bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
  return version;
}

static const char *order_peer(struct tunnel *tunnel, char *prefix_text, char *outer_text) {
  struct address prefix, outer;
  unsigned length, outer_length;
  int version = read_address(prefix_text, &prefix, &length);
  if (version == 0) return "no prefix";
  struct family *family = family_of(tunnel, version);
  if (family == NULL) return "not a family of this tunnel";
  if (outer_text == NULL) return peers_remove(&family->peers, &prefix, (uint8_t)length) ? NULL : "no such peer";
  if (read_address(outer_text, &outer, &outer_length) != version || outer_length != (version == 4 ? 32 : 128))
    return "no address of that family";
  return peers_set(&family->peers, version, &prefix, (uint8_t)length, &outer) ? NULL : "no memory";
}

static void order_commit(struct tunnel *tunnel, struct client *client) {
  size_t total = 0;
  char text[64];
  for (size_t i = 0; i < tunnel->family_count; i++) {
    peers_drop_old(&tunnel->families[i].peers);
    total += tunnel->families[i].peers.count;
  }
  snprintf(text, sizeof(text), "committed %zu\n", total);
  answer(client, text);
}

static size_t print_counters(const struct family *family, char *to, size_t room) {
  const struct counters *from = &family->counters;
  const struct {
    const char *name;
    const atomic_ullong *value;
  } rows[] = {
      {"sentPackets", &from->sent_packets},         {"sentBytes", &from->sent_bytes},
      {"receivedPackets", &from->received_packets}, {"receivedBytes", &from->received_bytes},
      {"deviceReads", &from->device_reads},         {"deviceWrites", &from->device_writes},
      {"socketSends", &from->socket_sends},         {"socketReceives", &from->socket_receives},
      {"noPeer", &from->no_peer},                   {"sendFailed", &from->send_failed},
      {"uncut", &from->uncut},                      {"malformed", &from->malformed},
      {"unknownOuter", &from->unknown_outer},       {"spoofedInner", &from->spoofed_inner},
      {"deviceFailed", &from->device_failed},
  };
  size_t used = (size_t)snprintf(to, room, "\"ipv%d\":{", family->version);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && used < room; i++)
    used += (size_t)snprintf(to + used, room - used, "\"%s\":%llu,", rows[i].name, atomic_load(rows[i].value));
  if (used < room) used += (size_t)snprintf(to + used, room - used, "\"peers\":%zu}", family->peers.count);
  return used;
}

static void order_counters(struct tunnel *tunnel, struct client *client) {
  char text[ANSWER_BYTES];
  size_t used = (size_t)snprintf(text, sizeof(text), "counters {");
  for (size_t i = 0; i < tunnel->family_count && used < sizeof(text); i++) {
    if (i > 0) text[used++] = ',';
    used += print_counters(&tunnel->families[i], text + used, sizeof(text) - used);
  }
  if (used + 3 > sizeof(text)) return drop_client(client);
  snprintf(text + used, sizeof(text) - used, "}\n");
  answer(client, text);
}

static void obey(struct tunnel *tunnel, struct client *client, char *line) {
  char *rest, *order = strtok_r(line, " ", &rest);
  char *first = order != NULL ? strtok_r(NULL, " ", &rest) : NULL;
  char *second = first != NULL ? strtok_r(NULL, " ", &rest) : NULL;
  const char *problem = NULL;
  if (order == NULL) return;
  if (strcmp(order, "stop") == 0) _exit(0);
  if (strcmp(order, "set") == 0 && second != NULL) problem = order_peer(tunnel, first, second);
  else if (strcmp(order, "remove") == 0 && first != NULL) problem = order_peer(tunnel, first, NULL);
  else if (strcmp(order, "commit") == 0) order_commit(tunnel, client);
  else if (strcmp(order, "counters") == 0) order_counters(tunnel, client);
  else if (strcmp(order, "begin") == 0)
    for (size_t i = 0; i < tunnel->family_count; i++) peers_renew(&tunnel->families[i].peers);
  else problem = "no such order";
  if (problem == NULL) return;
  char text[128];
  snprintf(text, sizeof(text), "error %s: %s\n", order, problem);
  answer(client, text);
}

static void obey_lines(struct tunnel *tunnel, struct client *client) {
  char *end;
  while (client->fd >= 0 && (end = memchr(client->line, '\n', client->length)) != NULL) {
    char line[LINE_BYTES];
    size_t length = (size_t)(end - client->line);
    memcpy(line, client->line, length);
    line[length] = '\0';
    client->length -= length + 1;
    memmove(client->line, end + 1, client->length);
    obey(tunnel, client, line);
  }
  if (client->fd >= 0 && client->length == sizeof(client->line)) drop_client(client);
}

static void hear(struct tunnel *tunnel, struct client *client) {
  ssize_t got = recv(client->fd, client->line + client->length, sizeof(client->line) - client->length, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop_client(client);
  client->length += (size_t)got;
  obey_lines(tunnel, client);
}

static void greet(struct tunnel *tunnel) {
  struct ucred peer;
  socklen_t length = sizeof(peer);
  int fd = accept4(tunnel->listener, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) return;
  struct client *client = clients;
  while (client < clients + MAX_CLIENTS && client->fd >= 0) client++;
  bool is_owner = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == tunnel->owner;
  if (client == clients + MAX_CLIENTS || !is_owner) {
    close(fd);
    return;
  }
  char text[ANSWER_BYTES];
  *client = (struct client){.fd = fd};
  snprintf(text, sizeof(text), "poplin-tunnel %d %d %s\n", TUNNEL_PROTOCOL, (int)tunnel->pid, tunnel->configuration);
  answer(client, text);
}

void serve_orders(struct tunnel *tunnel) {
  struct pollfd waiting[MAX_CLIENTS + 1];
  for (size_t i = 0; i < MAX_CLIENTS; i++) clients[i].fd = -1;
  for (;;) {
    waiting[MAX_CLIENTS] = (struct pollfd){.fd = tunnel->listener, .events = POLLIN};
    for (size_t i = 0; i < MAX_CLIENTS; i++) waiting[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    if (ppoll(waiting, MAX_CLIENTS + 1, NULL, NULL) < 0) continue;
    for (size_t i = 0; i < MAX_CLIENTS; i++)
      if (waiting[i].revents != 0) hear(tunnel, &clients[i]);
    if (waiting[MAX_CLIENTS].revents != 0) greet(tunnel);
  }
}
