/*
 * The CNI plugin on disk: sends what the runtime gave it (environment, stdin, its own name) to the resident agent and prints the
 * answer. It decides nothing, except what to say when the agent is away: then a DEL is kept on disk and counts as done.
 * CNI specification 1.1.0, sections 2 (protocol) and 5 (errors).
 */
#define _GNU_SOURCE
#include "cni-client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef POPLIN_VERSION
#define POPLIN_VERSION "development"
#endif
#define DEFAULT_SOCKET "/run/poplin/cni.sock"
#define DEFAULT_PENDING "/var/lib/poplin/cni/pending"
#define DEFAULT_TIMEOUT_SECONDS 90
#define MAX_TIMEOUT_SECONDS 3600

/* Error codes of the specification. */
enum {
  CODE_ENVIRONMENT = 4,
  CODE_INPUT_OUTPUT = 5,
  CODE_CONFIGURATION = 7,
  CODE_TRY_LATER = 11,
  CODE_NOT_AVAILABLE = 50,
};

static const char *const VERSIONS[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
#define VERSION_COUNT (sizeof(VERSIONS) / sizeof(VERSIONS[0]))

static struct frame request;

static const char *setting(const char *name, const char *fallback) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : fallback;
}

static int timeout_seconds(void) {
  int seconds = 0;
  for (const char *at = setting("POPLIN_CNI_TIMEOUT", ""); *at != '\0'; at++) {
    if (*at < '0' || *at > '9') return DEFAULT_TIMEOUT_SECONDS;
    seconds = seconds * 10 + (*at - '0');
    if (seconds > MAX_TIMEOUT_SECONDS) return DEFAULT_TIMEOUT_SECONDS;
  }
  return seconds > 0 ? seconds : DEFAULT_TIMEOUT_SECONDS;
}

static int print_error(const char *version, int code, const char *message, const char *details) {
  char number[24];
  struct output out = {.fd = STDOUT_FILENO};
  put(&out, "{\"cniVersion\":");
  json_print_string(&out, version);
  put(&out, ",\"code\":");
  put(&out, digits(number, (uint64_t)code, 1));
  put(&out, ",\"msg\":");
  json_print_string(&out, message);
  put(&out, ",\"details\":");
  json_print_string(&out, details);
  put(&out, "}\n");
  flush(&out);
  return 1;
}

static int print_about(const char *plugin) {
  struct output out = {.fd = STDERR_FILENO};
  put(&out, "CNI ");
  put(&out, plugin);
  put(&out, " plugin (Poplin " POPLIN_VERSION ")\nCNI protocol versions supported: ");
  for (size_t i = 0; i < VERSION_COUNT; i++) {
    if (i > 0) put(&out, ", ");
    put(&out, VERSIONS[i]);
  }
  put(&out, "\n");
  flush(&out);
  return 0;
}

static int print_versions(const char *version) {
  struct output out = {.fd = STDOUT_FILENO};
  put(&out, "{\"cniVersion\":");
  json_print_string(&out, version);
  put(&out, ",\"supportedVersions\":[");
  for (size_t i = 0; i < VERSION_COUNT; i++) {
    if (i > 0) put_char(&out, ',');
    json_print_string(&out, VERSIONS[i]);
  }
  put(&out, "]}\n");
  return flush(&out) ? 0 : 1;
}

static int print_reply(const struct reply *reply) {
  bool printed = write_all(STDERR_FILENO, reply->errors, reply->errors_length);
  printed = write_all(STDOUT_FILENO, reply->output, reply->output_length) && printed;
  return printed ? reply->status : 1;
}

/* DEL must not fail for want of an agent, or the pod could never be removed; the agent reads the folder when it starts. */
static int record_deletion(const char *version, const char *reason) {
  const char *folder = setting("POPLIN_CNI_PENDING_DIR", DEFAULT_PENDING);
  char name[64];
  char details[1024];
  const char *problem = pending_record(folder, &request, name, sizeof(name));
  if (problem == NULL) {
    struct output out = {.fd = STDERR_FILENO};
    const char *const texts[] = {"poplin: ", reason, "; the deletion is recorded as ", folder, "/", name,
                                 " and will be done when the agent runs\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) put(&out, texts[i]);
    flush(&out);
    return 0;
  }
  join(details, sizeof(details), (const char *const[]){reason, "; ", folder, ": ", problem, NULL});
  return print_error(version, CODE_INPUT_OUTPUT, "the deletion could be neither done nor recorded", details);
}

static int answer_without_agent(const char *command, const char *version, const char *reason) {
  if (strcmp(command, "DEL") == 0) return record_deletion(version, reason);
  int code = strcmp(command, "STATUS") == 0 ? CODE_NOT_AVAILABLE : CODE_TRY_LATER;
  return print_error(version, code, "the Poplin agent does not answer: start it with `poplin agent`", reason);
}

static const char *base_name(const char *path) {
  if (path == NULL) return "poplin";
  const char *slash = strrchr(path, '/');
  const char *name = slash != NULL ? slash + 1 : path;
  return name[0] != '\0' ? name : "poplin";
}

int main(int argc, char **argv) {
  const char *plugin = base_name(argc > 0 ? argv[0] : NULL);
  const char *command = setting("CNI_COMMAND", NULL);
  if (command == NULL) return print_about(plugin);
  signal(SIGPIPE, SIG_IGN);
  if (strlen(plugin) > MAX_NAME_BYTES)
    return print_error(NEWEST_VERSION, CODE_ENVIRONMENT, "the plugin's name is longer than 255 bytes", "");

  const char *text = "";
  size_t length = 0;
  deadline until = deadline_in(timeout_seconds());
  frame_begin(&request, plugin);
  const char *problem = frame_add_environment(&request, environ);
  if (problem != NULL) return print_error(NEWEST_VERSION, CODE_ENVIRONMENT, "the environment is not usable", problem);
  problem = frame_add_input(&request, STDIN_FILENO, until, &text, &length);
  char version[MAX_VERSION_BYTES];
  json_find_version(text, length, version);
  if (problem != NULL)
    return print_error(version, CODE_CONFIGURATION, "the network configuration on stdin is not usable", problem);
  if (strcmp(command, "VERSION") == 0) return print_versions(version);

  struct reply reply;
  problem = agent_exchange(setting("POPLIN_CNI_SOCKET", DEFAULT_SOCKET), &request, until, &reply);
  return problem == NULL ? print_reply(&reply) : answer_without_agent(command, version, problem);
}
