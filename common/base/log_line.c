#include "common/base/log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "common/base/ip.h"

#define TAIL_BYTES 2 /* what log_line_end adds at most */
#define REPLACEMENT 0xFFFD
#define MS_PER_SECOND 1000

static void put(struct log_line *line, const char *bytes, size_t len, bool *is_full)
{
	if (*is_full || len > sizeof line->bytes - TAIL_BYTES - line->len) {
		*is_full = true;
		return;
	}
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void put_text(struct log_line *line, const char *text, bool *is_full)
{
	put(line, text, strlen(text), is_full);
}

PRINTF_LIKE(3, 4) static void put_format(struct log_line *line, bool *is_full, const char *format, ...)
{
	char shown[64];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(shown, sizeof shown, format, arguments);
	va_end(arguments);
	put_text(line, shown, is_full);
}

/* Takes one code point off the front (RFC 3629); REPLACEMENT for a byte that begins none. Never called on nothing. */
static uint32_t take_code_point(struct slice *text, size_t *ret_len)
{
	const unsigned char *at = (const unsigned char *)text->ptr;
	size_t len = at[0] < 0x80                    ? 1
	             : at[0] >= 0xC2 && at[0] < 0xE0 ? 2
	             : (at[0] & 0xF0) == 0xE0        ? 3
	             : at[0] >= 0xF0 && at[0] < 0xF5 ? 4
	                                             : 0;
	uint32_t point = len == 1 ? at[0] : len == 2 ? at[0] & 0x1FU : len == 3 ? at[0] & 0x0FU : at[0] & 0x07U;
	bool is_valid = len > 0 && len <= text->len;
	for (size_t i = 1; is_valid && i < len; i++) {
		is_valid = (at[i] & 0xC0) == 0x80;
		point = point << 6 | (at[i] & 0x3FU);
	}
	if ((len == 3 && (point < 0x800 || (point >= 0xD800 && point < 0xE000))) ||
	    (len == 4 && (point < 0x10000 || point > 0x10FFFF)))
		is_valid = false;
	*ret_len = is_valid ? len : 1;
	text->ptr += *ret_len;
	text->len -= *ret_len;
	return is_valid ? point : REPLACEMENT;
}

/* What could end the line or steer a terminal: C0 and C1 controls and the Unicode line separators. */
static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x2028 || point == 0x2029;
}

static void put_escaped(struct log_line *line, struct slice text, bool *is_full)
{
	bool is_cut = text.len > LOG_VALUE_BYTES;
	if (is_cut) {
		text.len = LOG_VALUE_BYTES;
		while (((unsigned char)text.ptr[text.len] & 0xC0) == 0x80 && text.len > LOG_VALUE_BYTES - 4)
			text.len--;
	}
	while (text.len) {
		const char *from = text.ptr;
		size_t len;
		uint32_t point = take_code_point(&text, &len);
		if (point == '"' || point == '\\')
			put_format(line, is_full, "\\%c", (int)point);
		else if (point == '\n' || point == '\r' || point == '\t')
			put_text(line, point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t", is_full);
		else if (is_control(point))
			put_format(line, is_full, "\\u%04" PRIx32, point);
		else if (point == REPLACEMENT)
			put_text(line, "\xEF\xBF\xBD", is_full);
		else
			put(line, from, len, is_full);
	}
	if (is_cut)
		put_text(line, "...", is_full);
}

static void put_quoted(struct log_line *line, struct slice text, bool *is_full)
{
	put_text(line, "\"", is_full);
	put_escaped(line, text, is_full);
	put_text(line, "\"", is_full);
}

/* A value of visible ASCII that cannot be taken for the next field stands without quotes. */
static bool is_bare(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '"' || text.ptr[i] == '=' ||
		    text.ptr[i] == '\\')
			return false;
	}
	return text.len > 0 && text.len <= LOG_VALUE_BYTES;
}

static void put_time(struct log_line *line, uint64_t wall_ms, bool *is_full)
{
	time_t seconds = (time_t)(wall_ms / MS_PER_SECOND);
	struct tm utc;
	char shown[32];
	if (!gmtime_r(&seconds, &utc) || !strftime(shown, sizeof shown, "%Y-%m-%dT%H:%M:%S", &utc))
		shown[0] = '\0';
	put_format(line, is_full, "%s.%03uZ", shown, (unsigned)(wall_ms % MS_PER_SECOND));
}

static void put_member(struct log_line *line, const char *key, const char *value, bool *is_full)
{
	put_format(line, is_full, ",\"%s\":", key);
	put_quoted(line, slice_of(value), is_full);
}

void log_line_begin(struct log_line *line, bool is_json, const struct log_head *head)
{
	bool is_full = false;
	line->is_json = is_json;
	line->has_fields = false;
	line->len = 0;
	if (is_json) {
		put_text(line, "{\"time\":\"", &is_full);
		put_time(line, head->wall_ms, &is_full);
		put_text(line, "\"", &is_full);
		put_member(line, "level", head->level, &is_full);
		put_member(line, "room", head->room, &is_full);
		put_member(line, "message", head->message, &is_full);
		put_member(line, "node", head->node, &is_full);
		return;
	}
	put_time(line, head->wall_ms, &is_full);
	put_format(line, &is_full, " %-5s %-8s ", head->level, head->room);
	put_escaped(line, slice_of(head->message), &is_full);
}

static void put_value(struct log_line *line, struct slice text, bool *is_full)
{
	if (!line->is_json && is_bare(text))
		put(line, text.ptr, text.len, is_full);
	else
		put_quoted(line, text, is_full);
}

static void put_ip(struct log_line *line, const struct ip *ip, bool *is_full)
{
	char text[IP_TEXT];
	size_t len = ip_write(text, ip);
	put_value(line, (struct slice){text, len}, is_full);
}

void log_line_field(struct log_line *line, const struct log_field *field)
{
	bool is_full = false;
	size_t before = line->len;
	if (line->is_json)
		put_format(line, &is_full, ",\"%s\":", field->key);
	else
		put_format(line, &is_full, "%s%s=", line->has_fields ? " " : "  ", field->key);
	if (field->kind == LOG_FIELD_INT)
		put_format(line, &is_full, "%" PRId64, field->number);
	else if (field->kind == LOG_FIELD_IP)
		put_ip(line, field->ip, &is_full);
	else
		put_value(line, field->text, &is_full);
	if (is_full)
		line->len = before;
	else
		line->has_fields = true;
}

void log_line_end(struct log_line *line)
{
	if (line->is_json)
		line->bytes[line->len++] = '}';
	line->bytes[line->len++] = '\n';
}
