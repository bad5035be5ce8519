/*
 * Whoever parses hostile packets should own nothing: no user, no capability, and only the system calls that carrying takes. A packet
 * that got hold of this process could send and receive on the sockets it has, and no more.
 */
#define _GNU_SOURCE
#include "tunnel.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "the system calls of this architecture are not listed"
#endif

static bool fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return false;
}

/* In a user namespace there may be no such user: then the capabilities go, and the user stays. */
static bool become_nobody(void) {
  if (setgroups(0, NULL) != 0 && errno != EPERM) return fail("setgroups");
  if (setresgid(NOBODY, NOBODY, NOBODY) != 0 && errno != EINVAL) return fail("setresgid");
  if (setresuid(NOBODY, NOBODY, NOBODY) != 0 && errno != EINVAL) return fail("setresuid");
  return true;
}

bool drop_privileges(void) {

  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {0};
  const struct rlimit no_core = {0, 0};
  if (!become_nobody()) return false;
  if (syscall(SYS_capset, &header, none) != 0) return fail("capset");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("no_new_privs");
  setrlimit(RLIMIT_CORE, &no_core);
  return true;
}

#define ALLOW(name) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (__NR_##name), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

bool confine_system_calls(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      /* Carrying, the most frequent ones first. */
      ALLOW(readv),
      ALLOW(writev),
      ALLOW(sendmmsg),
      ALLOW(sendmsg),
      ALLOW(recvmmsg),
      ALLOW(ppoll),
      ALLOW(futex),
      ALLOW(write),
      /* Orders. */
      ALLOW(accept4),
      ALLOW(recvfrom),
      ALLOW(sendto),
      ALLOW(getsockopt),
      ALLOW(close),
      ALLOW(dup3),
      /* Memory, time and the end. */
      ALLOW(mmap),
      ALLOW(mremap),
      ALLOW(munmap),
      ALLOW(mprotect),
      ALLOW(madvise),
      ALLOW(brk),
      ALLOW(clock_gettime),
      ALLOW(rt_sigreturn),
      ALLOW(restart_syscall),
      ALLOW(exit_group),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  const struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0) return true;
  return fail("seccomp");
}
