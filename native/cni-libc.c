/*
 * The few functions of the C library that the client uses, over system calls, and the start of the program. The library's own start
 * asks the processor what it can, which traps in a virtual machine, and takes as long as all else that the client does.
 * On x86-64; elsewhere, and with sanitizers, the client is linked with the library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

char **environ;
/* What -fstack-protector puts between a function's buffers and its return address: of this process alone, from the kernel. */
uintptr_t __stack_chk_guard;

int main(int argc, char **argv);
__attribute__((noreturn, used)) void start_program(uintptr_t *stack);
__attribute__((noreturn)) void __stack_chk_fail(void);

#ifndef __x86_64__
#error "no system calls for this architecture: link with the C library"
#endif

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call start_program\n");

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static int error_number;

int *__errno_location(void) {
  return &error_number;
}

/* As the library's functions do: -1 and errno for an error. */
static long checked(long result) {
  if (result >= 0 || result < -4095) return result;
  error_number = (int)-result;
  return -1;
}

#define CALL(number, a, b, c) checked(call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0))
#define CALL_6(number, a, b, c, d, e, f)                                                                               \
  checked(call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

static __attribute__((noreturn)) void leave(int status) {
  for (;;) call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

void __stack_chk_fail(void) {
  call(SYS_kill, getpid(), SIGABRT, 0, 0, 0, 0);
  leave(127);
}

/* `stack` is what execve(2) left: the count of arguments, the arguments, the environment, the auxiliary vector. */
void start_program(uintptr_t *stack) {
  int argc = (int)stack[0];
  char **argv = (char **)(stack + 1);
  environ = argv + argc + 1;
  char **end = environ;
  while (*end != NULL) end++;
  for (const uintptr_t *entry = (const uintptr_t *)(end + 1); entry[0] != AT_NULL; entry += 2)
    if (entry[0] == AT_RANDOM) __stack_chk_guard = *(const uintptr_t *)entry[1] & ~(uintptr_t)0xff;
  leave(main(argc, argv));
}

ssize_t read(int fd, void *at, size_t length) {
  return CALL(SYS_read, fd, at, length);
}

ssize_t write(int fd, const void *at, size_t length) {
  return CALL(SYS_write, fd, at, length);
}

int close(int fd) {
  return (int)CALL(SYS_close, fd, 0, 0);
}

int fsync(int fd) {
  return (int)CALL(SYS_fsync, fd, 0, 0);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return (int)CALL_6(SYS_openat, folder, path, flags, mode, 0, 0);
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return openat(AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
  return (int)CALL(SYS_mkdirat, AT_FDCWD, path, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return (int)CALL_6(SYS_renameat2, from_folder, from, to_folder, to, 0, 0);
}

int unlinkat(int folder, const char *path, int flags) {
  return (int)CALL(SYS_unlinkat, folder, path, flags);
}

int isatty(int fd) {
  char settings[256];
  return CALL(SYS_ioctl, fd, TCGETS, settings) == 0;
}

/* F_SETFL and the like, which take a number. */
int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  int argument = va_arg(arguments, int);
  va_end(arguments);
  return (int)CALL(SYS_fcntl, fd, command, argument);
}

int socket(int domain, int type, int protocol) {
  return (int)CALL(SYS_socket, domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  return (int)CALL(SYS_connect, fd, address, length);
}

ssize_t send(int fd, const void *at, size_t length, int flags) {
  return CALL_6(SYS_sendto, fd, at, length, flags, 0, 0);
}

ssize_t recv(int fd, void *at, size_t length, int flags) {
  return CALL_6(SYS_recvfrom, fd, at, length, flags, 0, 0);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length) {
  return (int)CALL_6(SYS_getsockopt, fd, level, name, value, length, 0);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  return (int)CALL_6(SYS_setsockopt, fd, level, name, value, length, 0);
}

int poll(struct pollfd *list, nfds_t count, int milliseconds) {
  struct timespec timeout = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
  return (int)CALL_6(SYS_ppoll, list, count, milliseconds < 0 ? NULL : &timeout, NULL, 0, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  return (int)CALL(SYS_clock_gettime, clock, now, 0);
}

pid_t getpid(void) {
  return (pid_t)CALL(SYS_getpid, 0, 0, 0);
}

uid_t geteuid(void) {
  return (uid_t)CALL(SYS_geteuid, 0, 0, 0);
}

/* For SIG_IGN and SIG_DFL alone: a handler would have to say how it returns. */
__sighandler_t signal(int number, __sighandler_t handler) {
  struct {
    __sighandler_t handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } action = {.handler = handler};
  return CALL_6(SYS_rt_sigaction, number, &action, NULL, sizeof(action.mask), 0, 0) == 0 ? SIG_DFL : SIG_ERR;
}

char *getenv(const char *name) {
  size_t length = strlen(name);
  for (char **entry = environ; *entry != NULL; entry++)
    if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
  return NULL;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  for (size_t i = 0; i < length; i++) ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memset(void *at, int byte, size_t length) {
  for (size_t i = 0; i < length; i++) ((char *)at)[i] = (char)byte;
  return at;
}

int memcmp(const void *a, const void *b, size_t length) {
  const unsigned char *left = a, *right = b;
  for (size_t i = 0; i < length; i++)
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') length++;
  return length;
}

int strncmp(const char *a, const char *b, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (a[i] != b[i]) return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
    if (a[i] == '\0') return 0;
  }
  return 0;
}

int strcmp(const char *a, const char *b) {
  return strncmp(a, b, SIZE_MAX);
}

char *strcpy(char *restrict to, const char *restrict from) {
  return memcpy(to, from, strlen(from) + 1);
}

char *strchr(const char *text, int character) {
  for (;; text++) {
    if (*text == (char)character) return (char *)text;
    if (*text == '\0') return NULL;
  }
}

char *strrchr(const char *text, int character) {
  const char *found = NULL;
  for (;; text++) {
    if (*text == (char)character) found = text;
    if (*text == '\0') return (char *)found;
  }
}
