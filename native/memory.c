/* Memory of malloc's that nobody uses any more, given back to the system. */
#include "addon.h"

#include <malloc.h>

/* Each thread that allocated has an arena of its own, which keeps what a burst once needed until it is told to let go. */
static napi_value trim_memory(napi_env env, napi_callback_info info) {
  (void)info;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return make_undefined(env);
}

napi_status memory_init(napi_env env, napi_value exports) {
  static const struct function_row rows[] = {{"trimMemory", trim_memory}};
  return export_functions(env, exports, rows, COUNT_OF(rows));
}
