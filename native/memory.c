/* Memory that this process keeps and does not need, given back to the system. */
#define _GNU_SOURCE
#include "addon.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>

/* Each thread that allocated has an arena of its own, which keeps what a burst once needed until it is told to let go. */
static napi_value trim_memory(napi_env env, napi_callback_info info) {
  (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return make_undefined(env);
}

/*
 * Keeps malloc from raising the size from which blocks are mappings of their own, which go back when they are freed. It does when such a block
 * is freed (mallopt(3)); the next ones then lie between others, and leave holes when they grow.
 */
static napi_value map_large_blocks(napi_env env, napi_callback_info info) {
  (void)info;
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
  return make_undefined(env);
}

struct mapping {
  unsigned long from, to, inode;
  char access[8];
};

/*
 * Of a file, and nobody writes to it. Pages that are not the file's any more make it anonymous in part: text that was moved onto huge pages,
 * what the loader has relocated, a debugger's breakpoints. They would be lost, and so such a mapping is left alone.
 */
static int is_only_of_file(const struct mapping *mapping, unsigned long anonymous_kb) {
  return mapping->inode != 0 && mapping->access[0] == 'r' && mapping->access[1] == '-' && anonymous_kb == 0;
}

/* Lets go of the pages of the program and its libraries (madvise(2)): whatever is asked for again comes from the page cache. See proc_pid_smaps(5). */
static napi_value release_program(napi_env env, napi_callback_info info) {
  (void)info;
  FILE *maps = fopen("/proc/self/smaps", "re");
  if (maps == NULL) return make_undefined(env);
  char line[512];
  struct mapping mapping = {0};
  while (fgets(line, sizeof line, maps) != NULL) {
    struct mapping next;
    unsigned long anonymous_kb;
    if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &next.from, &next.to, next.access, &next.inode) == 4) mapping = next;
    else if (sscanf(line, "Anonymous: %lu kB", &anonymous_kb) == 1 && is_only_of_file(&mapping, anonymous_kb))
      madvise((void *)mapping.from, mapping.to - mapping.from, MADV_DONTNEED);
  }
  fclose(maps);
  return make_undefined(env);
}

napi_status memory_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {
      {"trimMemory", trim_memory}, {"mapLargeBlocks", map_large_blocks}, {"releaseProgram", release_program}};
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
