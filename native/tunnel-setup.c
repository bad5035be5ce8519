/* What needs privileges: the TUN device, which is there already, the UDP socket, and the socket for orders. */
#define _GNU_SOURCE
#include "tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
/* Linux 6.2. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define RECEIVE_BUFFER_BYTES (8 * 1024 * 1024)
#define SEND_BUFFER_BYTES (2 * 1024 * 1024)

static bool fail(const char *what, const char *name) {
  fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
  return false;
}

/* TUNSETIFF would make a device that is missing, without the marks by which it is known. */
static bool is_there(const struct family *family) {
  if (if_nametoindex(family->link) != 0) return true;
  return fail("device", family->link);
}

static bool open_device(struct family *family) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  memcpy(request.ifr_name, family->link, sizeof(request.ifr_name));
  if (!is_there(family)) return false;
  family->device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (family->device < 0) return fail("open", "/dev/net/tun");
  if (ioctl(family->device, TUNSETIFF, &request) != 0) {
    if (errno == EBUSY) fprintf(stderr, "another program has it open: ");
    return fail("device", family->link);
  }
  unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  family->merges_udp = ioctl(family->device, TUNSETOFFLOAD, offload | TUN_F_USO4 | TUN_F_USO6) == 0;
  if (!family->merges_udp && ioctl(family->device, TUNSETOFFLOAD, offload) != 0) return fail("offload of", family->link);
  return true;
}

static bool set_number(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static bool open_socket(struct family *family) {
  int domain = family->version == 4 ? AF_INET : AF_INET6;
  family->socket = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (family->socket < 0) return fail("socket of", family->link);
  if (family->version == 6 && !set_number(family->socket, IPPROTO_IPV6, IPV6_V6ONLY, 1))
    return fail("IPV6_V6ONLY of", family->link);
  /* Without it each datagram is its own. */
  set_number(family->socket, IPPROTO_UDP, UDP_GRO, 1);
  set_number(family->socket, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  set_number(family->socket, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
  if (bind(family->socket, (struct sockaddr *)&family->local, family->local_length) == 0) return true;
  char name[64];
  snprintf(name, sizeof(name), "port %u of %s", ntohs(family->port), family->link);
  return fail("bind", name);
}

bool family_open(struct family *family) {
  if (!peers_begin(&family->peers)) return fail("peers of", family->link);
  return open_device(family) && open_socket(family);
}

/* In place of what a process before left there. Nobody but the owner may connect between bind and chmod. */
int listen_for_orders(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return fail("socket", path), -1;
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail("socket", path), -1;
  unlink(path);
  mode_t mask = umask(0177);
  bool listens = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0;
  umask(mask);
  if (listens) return fd;
  fail("socket", path);
  close(fd);
  return -1;
}
