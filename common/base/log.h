/* Structured logs on standard error: one line an entry, as text or as JSON. Any thread may log; a line is one write(2).
 * Levels are set for all rooms or for single ones. A call site that repeats itself more than LOG_BURST times in
 * LOG_WINDOW_MS is held back; its next line then says how many were ("suppressed").
 *   log_warn("redis", "connection lost", log_text("cause", why), log_int("attempt", 3));
 * Floors 0 to 3 do not log. Secrets are never given to it. */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct ip;

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

#define LOG_BURST 10
#define LOG_WINDOW_MS 1000

struct log_field {
	const char *key; /* static, camelCase; NULL ends the fields */
	enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_IP } kind;
	struct slice text;
	int64_t number;
	const struct ip *ip;
};

#define log_text(name, value) ((struct log_field){.key = (name), .kind = LOG_FIELD_TEXT, .text = slice_of(value)})
#define log_slice(name, value) ((struct log_field){.key = (name), .kind = LOG_FIELD_TEXT, .text = (value)})
#define log_int(name, value) ((struct log_field){.key = (name), .kind = LOG_FIELD_INT, .number = (int64_t)(value)})
/* "-" where it is not known. */
#define log_ip(name, value) ((struct log_field){.key = (name), .kind = LOG_FIELD_IP, .ip = (value)})

/* One for each place in the code that logs; the macros make it. */
struct log_site {
	_Atomic uint64_t window_ms;
	_Atomic uint32_t count, suppressed;
};

#define LOG_AT(level, room, message, ...)                                                                        \
	do {                                                                                                     \
		static struct log_site log_site_;                                                                \
		if (log_is_on(level, room))                                                                      \
			log_write(&log_site_, level, room, message, (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) {0}}); \
	} while (0)
#define log_debug(room, ...) LOG_AT(LOG_LEVEL_DEBUG, room, __VA_ARGS__)
#define log_info(room, ...) LOG_AT(LOG_LEVEL_INFO, room, __VA_ARGS__)
#define log_warn(room, ...) LOG_AT(LOG_LEVEL_WARN, room, __VA_ARGS__)
#define log_error(room, ...) LOG_AT(LOG_LEVEL_ERROR, room, __VA_ARGS__)

/* levels: "info" or "info,redis=debug,wire=off". Before any thread starts. ERR_INVALID: nothing changed. */
enum err log_setup(const char *levels, bool as_json, const char *node) MUST_USE;
bool log_is_valid_levels(const char *levels);
/* Whether valid levels name such rooms only; else ret_room is the first other one, a part of levels. */
bool log_levels_name(const char *levels, bool (*is_room)(struct slice name), struct slice *ret_room);
bool log_is_on(enum log_level level, const char *room);
void log_write(struct log_site *site, enum log_level level, const char *room, const char *message, const struct log_field *fields);
uint64_t log_suppressed(void); /* lines held back since the start */
/* Sends lines here instead of to standard error: for tests. NULL: back. */
void log_capture(void (*sink)(const char *line, size_t len, void *context), void *context);

#endif
