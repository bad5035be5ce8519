/*
 * The parts of the CNI client. It allocates nothing: all buffers are static and bounded, so its memory and its failures are known.
 * Functions return NULL for success or a short text of what went wrong, in lower case.
 */
#ifndef POPLIN_CNI_CLIENT_H
#define POPLIN_CNI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_NAME_BYTES 255
#define MAX_ENVIRONMENT_BYTES (256 * 1024)
#define MAX_STDIN_BYTES (1024 * 1024)
#define MAX_REPLY_BYTES (4 * 1024 * 1024)
#define MAX_VERSION_BYTES 32
#define NEWEST_VERSION "1.1.0"

/* What is written to a descriptor, collected until it is flushed or full. */
struct output {
  int fd;
  bool failed;
  size_t length;
  char bytes[1024];
};

void put_char(struct output *to, char character);
void put(struct output *to, const char *text);
/* False if any of it could not be written. */
bool flush(struct output *to);

/* As much of the texts, one behind the other up to a NULL, as the buffer holds, with a zero behind it; returns the buffer. */
const char *join(char *out, size_t size, const char *const texts[]);
/* `what subject: `, or `what: ` if subject is NULL, and the system's description of an error. */
const char *describe(char *out, size_t size, const char *what, const char *subject, int error);
/* A number in decimal with at least so many digits (at most 20) and a zero behind them; returns the buffer. */
const char *digits(char out[24], uint64_t number, int width);

/* A request frame under construction: magic, version, then three fields, each with its length before it. Big-endian. */
struct frame {
  size_t length;
  uint8_t bytes[8 + 3 * 4 + MAX_NAME_BYTES + MAX_ENVIRONMENT_BYTES + MAX_STDIN_BYTES];
};

struct reply {
  int status;
  const uint8_t *output;
  size_t output_length;
  const uint8_t *errors;
  size_t errors_length;
};

/* A point of CLOCK_MONOTONIC in milliseconds. */
typedef int64_t deadline;

deadline deadline_in(int seconds);

void frame_begin(struct frame *frame, const char *plugin);
/* The CNI_* variables as KEY=VALUE\0, one behind the other. */
const char *frame_add_environment(struct frame *frame, char *const *environment);
/* All of a descriptor up to its end; the bytes are in `text` and `length` too. A terminal counts as empty. */
const char *frame_add_input(struct frame *frame, int fd, deadline until, const char **text, size_t *length);

/* Sends the frame to the agent and reads its reply. */
const char *agent_exchange(const char *socket_path, const struct frame *frame, deadline until, struct reply *reply);
bool write_all(int fd, const void *bytes, size_t length);

/* The value of the top-level key cniVersion if it is a plain short string, else NEWEST_VERSION. Any bytes are accepted. */
void json_find_version(const char *text, size_t length, char out[MAX_VERSION_BYTES]);
/* The text as a JSON string with its quotes; bytes that are no ASCII are written as U+FFFD. */
void json_print_string(struct output *to, const char *text);

/* Writes the frame durably as a new file of the folder, which is made if need be. `name` receives the file's name. */
const char *pending_record(const char *folder, const struct frame *frame, char *name, size_t name_size);

#endif
