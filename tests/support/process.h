/* A program that a test runs: its output is captured in memory from the first byte, its exit is waited for with a deadline.
 * It dies with the test that started it, however that ends. Failures of the machinery itself (no such program) fail the
 * test. Used by one thread; a thread of its own collects the output. */
#ifndef TESTS_SUPPORT_PROCESS_H
#define TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/deadline.h"

struct process;

struct process_options {
	const char *const *arguments;   /* argv, NULL at its end; [0] is the program, looked for in PATH */
	const char *const *environment; /* "NAME=value" on top of the test's own, NULL at its end; NULL: nothing */
	uint64_t descriptor_limit;      /* RLIMIT_NOFILE, soft and hard; 0: as it is */
};

struct process *process_start(const struct process_options *options);
void process_free(struct process *process); /* kills it if it still runs; NULL is fine */

pid_t process_pid(const struct process *process);
void process_signal(struct process *process, int signal);
/* True once it ended: ret_status (may be NULL) is its exit status, or 128 + the signal that ended it. */
bool process_wait(struct process *process, struct deadline deadline, int *ret_status);
bool process_is_running(struct process *process);

/* What it wrote to standard output or error so far, NUL-terminated; the caller frees it. */
enum process_stream { PROCESS_OUTPUT, PROCESS_ERROR };
char *process_text(struct process *process, enum process_stream stream);
/* Waits until text stands in a line of the stream at or behind *at (NULL: from the start) and moves *at behind that line.
 * The line, without its newline; the caller frees it. NULL: the deadline passed or the stream ended. */
char *process_wait_line(struct process *process, enum process_stream stream, const char *text, size_t *at, struct deadline deadline);

/* Resident memory and open descriptors, as /proc tells. 0 when it is gone. */
uint64_t process_resident_bytes(const struct process *process);
unsigned process_descriptors(const struct process *process);
uint64_t process_cpu_ms(const struct process *process); /* user and system, since its start */

#endif
