/*
 * poplin-tunnel SOCKET FAMILY...: carries packets between TUN devices that are there already and the nodes it is told of on SOCKET.
 * A FAMILY is LINK,ADDRESS,PORT: the device, and the node's own address and UDP port. It says `ready` on standard output, is
 * then nobody with no capabilities and few system calls, and lives on when its starter ends: packets do not wait for an agent.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_WRONG_CALL = 2, EXIT_DEVICE_GONE = 3 };

static struct tunnel tunnel;
/* A thread makes system calls of its own until it runs; only then may they be confined. */
static pthread_barrier_t running;

static bool read_port(const char *text, in_port_t *port) {
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < 1 || number > 65535) return false;
  *port = htons((uint16_t)number);
  return true;
}

static bool read_local(struct family *family, const char *text) {
  struct sockaddr_in *v4 = (struct sockaddr_in *)&family->local;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&family->local;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = family->port;
    family->version = 4;
    family->local_length = sizeof(*v4);
    return true;
  }
  if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = family->port;
  family->version = 6;
  family->local_length = sizeof(*v6);
  return true;
}

static bool read_family(struct family *family, const char *argument) {
  char text[128];
  char *rest;
  if (strlen(argument) >= sizeof(text)) return false;
  strcpy(text, argument);
  const char *link = strtok_r(text, ",", &rest);
  const char *address = strtok_r(NULL, ",", &rest);
  const char *port = strtok_r(NULL, ",", &rest);
  if (port == NULL || strtok_r(NULL, ",", &rest) != NULL || strlen(link) >= sizeof(family->link)) return false;
  strcpy(family->link, link);
  return read_port(port, &family->port) && read_local(family, address);
}

static bool read_arguments(int argc, char **argv) {
  if (argc < 3 || argc > 2 + MAX_FAMILIES) return false;
  tunnel.socket_path = argv[1];
  for (int i = 2; i < argc; i++) {
    struct family *family = &tunnel.families[tunnel.family_count++];
    if (!read_family(family, argv[i])) return false;
    if (i > 2) strcat(tunnel.configuration, " ");
    strcat(tunnel.configuration, argv[i]);
  }
  return tunnel.family_count == 1 || tunnel.families[0].version != tunnel.families[1].version;
}

/* A direction that ends means the device or the socket is gone: whoever started us may do so again. */
static void *out_thread(void *family) {
  pthread_barrier_wait(&running);
  carry_out(family);
  _exit(EXIT_DEVICE_GONE);
}

static void *in_thread(void *family) {
  pthread_barrier_wait(&running);
  carry_in(family);
  _exit(EXIT_DEVICE_GONE);
}

static bool start_threads(void) {
  pthread_t thread;
  if (pthread_barrier_init(&running, NULL, (unsigned)(2 * tunnel.family_count + 1)) != 0) return false;
  for (size_t i = 0; i < tunnel.family_count; i++) {
    struct family *family = &tunnel.families[i];
    if (pthread_create(&thread, NULL, out_thread, family) != 0) return false;
    if (pthread_create(&thread, NULL, in_thread, family) != 0) return false;
  }
  pthread_barrier_wait(&running);
  return true;
}

/* Whoever reads our messages may end before we do. */
static bool say_ready(int nowhere) {
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return false;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (dup3(nowhere, fd, 0) < 0) return false;
  return true;
}

int main(int argc, char **argv) {
  if (!read_arguments(argc, argv)) {
    fprintf(stderr, "usage: poplin-tunnel SOCKET LINK,ADDRESS,PORT [LINK,ADDRESS,PORT]\n");
    return EXIT_WRONG_CALL;
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  tunnel.owner = geteuid();
  tunnel.pid = getpid();
  for (size_t i = 0; i < tunnel.family_count; i++)
    if (!family_open(&tunnel.families[i])) return 1;
  tunnel.listener = listen_for_orders(tunnel.socket_path);
  if (tunnel.listener < 0 || !drop_privileges()) return 1;
  int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0 || !start_threads() || !confine_system_calls() || !say_ready(nowhere)) return 1;
  serve_orders(&tunnel);
  return 0;
}
