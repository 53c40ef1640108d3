/* One log line in the making, in a buffer of fixed size: as text or as JSON, always well-formed and always one line,
 * whatever its values hold. Control characters, quotes and line separators are escaped, bytes that are not UTF-8 become
 * U+FFFD, a value longer than LOG_VALUE_BYTES is cut, a field that does not fit is left out. Private to log.c. */
#ifndef COMMON_BASE_LOG_LINE_H
#define COMMON_BASE_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/log.h"

#define LOG_LINE_BYTES 8192
#define LOG_VALUE_BYTES 1024

struct log_line {
	bool is_json, has_fields;
	size_t len;
	char bytes[LOG_LINE_BYTES];
};

struct log_head {
	uint64_t wall_ms;
	const char *level, *room, *message, *node;
};

void log_line_begin(struct log_line *line, bool is_json, const struct log_head *head);
void log_line_field(struct log_line *line, const struct log_field *field);
void log_line_end(struct log_line *line); /* adds the newline */

#endif
