#include "tests/support/sse_reader.h"

#include <string.h>

void sse_reader_init(struct sse_reader *reader)
{
	*reader = (struct sse_reader){.retry_ms = UINT64_MAX};
}

void sse_reader_fini(struct sse_reader *reader)
{
	struct buf *const bufs[] = {&reader->input, &reader->line,       &reader->data,      &reader->type, &reader->id,
				    &reader->last_id, &reader->given_data, &reader->given_type};
	for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
		buf_fini(bufs[i]);
}

void sse_reader_feed(struct sse_reader *reader, struct slice bytes)
{
	buf_drop_front(&reader->input, reader->at);
	reader->at = 0;
	buf_append_slice(&reader->input, bytes);
}

static void set(struct buf *buf, struct slice text)
{
	buf_clear(buf);
	buf_append_slice(buf, text);
}

static void set_retry(struct sse_reader *reader, struct slice value)
{
	uint64_t number = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return;
		number = number * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	reader->retry_ms = number;
}

static void process_field(struct sse_reader *reader, struct slice field, struct slice value)
{
	if (slice_is(field, "event")) {
		set(&reader->type, value);
	} else if (slice_is(field, "data")) {
		buf_append_slice(&reader->data, value);
		buf_append_char(&reader->data, '\n');
	} else if (slice_is(field, "id")) {
		if (!value.len || !memchr(value.ptr, '\0', value.len))
			set(&reader->id, value);
	} else if (slice_is(field, "retry")) {
		set_retry(reader, value);
	}
}

static void process_line(struct sse_reader *reader)
{
	struct slice line = buf_slice(&reader->line), value = SLICE_NONE;
	const char *colon = memchr(line.ptr, ':', line.len);
	if (colon == line.ptr) {
		reader->comments++;
		return;
	}
	if (colon) {
		value = (struct slice){colon + 1, (size_t)(line.ptr + line.len - colon) - 1};
		line.len = (size_t)(colon - line.ptr);
	}
	if (value.len && value.ptr[0] == ' ')
		value = (struct slice){value.ptr + 1, value.len - 1};
	process_field(reader, line, value);
}

/* False: nothing is dispatched. */
static bool dispatch(struct sse_reader *reader, struct sse_message *ret_message)
{
	reader->blocks++;
	set(&reader->last_id, buf_slice(&reader->id));
	bool has_data = reader->data.len > 0;
	if (has_data) {
		set(&reader->given_data, (struct slice){reader->data.bytes, reader->data.len - 1});
		set(&reader->given_type, reader->type.len ? buf_slice(&reader->type) : SLICE_LITERAL("message"));
		*ret_message = (struct sse_message){buf_slice(&reader->given_type), buf_slice(&reader->given_data),
						    buf_slice(&reader->last_id)};
	}
	buf_clear(&reader->data);
	buf_clear(&reader->type);
	return has_data;
}

/* One leading byte order mark is ignored. False: it may be one still. */
static bool begin(struct sse_reader *reader)
{
	static const char mark[] = "\xEF\xBB\xBF";
	size_t len = reader->input.len < 3 ? reader->input.len : 3;
	bool is_like = len && memcmp(reader->input.bytes, mark, len) == 0;
	if (len == 0 || (is_like && len < 3))
		return false;
	reader->at = is_like ? 3 : 0;
	reader->has_begun = true;
	return true;
}

bool sse_reader_next(struct sse_reader *reader, struct sse_message *ret_message)
{
	if (!reader->has_begun && !begin(reader))
		return false;
	while (reader->at < reader->input.len) {
		char c = reader->input.bytes[reader->at++];
		bool is_skipped = c == '\n' && reader->skips_lf;
		reader->skips_lf = c == '\r';
		if (is_skipped)
			continue;
		if (c != '\n' && c != '\r') {
			buf_append_char(&reader->line, c);
			continue;
		}
		bool is_empty = reader->line.len == 0;
		if (!is_empty)
			process_line(reader);
		buf_clear(&reader->line);
		if (is_empty && dispatch(reader, ret_message))
			return true;
	}
	return false;
}
