#include "common/codec/sse.h"

#include <string.h>

#include "common/codec/json.h"

/* The first CR or LF, or the end. */
static const char *line_end(struct slice text)
{
	const char *lf = memchr(text.ptr, '\n', text.len);
	size_t len = lf ? (size_t)(lf - text.ptr) : text.len;
	const char *cr = memchr(text.ptr, '\r', len);
	return cr ? cr : text.ptr + len;
}

static void append_data(struct buf *out, struct slice text)
{
	while (text.len) {
		const char *end = line_end(text);
		size_t len = (size_t)(end - text.ptr);
		buf_append_text(out, "data: ");
		buf_append(out, text.ptr, len);
		buf_append_char(out, '\n');
		if (len < text.len)
			len += text.len - len > 1 && end[0] == '\r' && end[1] == '\n' ? 2 : 1;
		text = (struct slice){text.ptr + len, text.len - len};
	}
	buf_append_char(out, '\n');
}

void sse_event(struct buf *out, const struct record *record, struct slice cursor)
{
	if (cursor.len) {
		buf_append_text(out, "id: ");
		buf_append_slice(out, cursor);
		buf_append_char(out, '\n');
	}
	append_data(out, record->element);
}

void sse_cursor(struct buf *out, struct slice cursor)
{
	buf_append_text(out, "id: ");
	buf_append_slice(out, cursor);
	buf_append_text(out, "\n\n");
}

static enum err decode(struct arena *arena, struct slice message, struct value **ret_value, char ret_why[128])
{
	return codec_json.decode(arena, message, ret_value, ret_why);
}

static void encode(struct buf *out, const struct value *value)
{
	const struct value *op = value_get(value, "op");
	struct buf text;
	buf_init(&text);
	json_encode(&text, value);
	buf_append_text(out, "event: ");
	buf_append_slice(out, op && op->kind == VALUE_STRING ? op->text : SLICE_LITERAL("reply"));
	buf_append_char(out, '\n');
	append_data(out, buf_slice(&text));
	out->failed |= buf_has_failed(&text);
	buf_fini(&text);
}

static void events_add(struct buf *elements, const struct record *record, bool first)
{
	char id[RECORD_ID_TEXT];
	(void)first;
	if (record_id_is_zero(record->id))
		sse_event(elements, record, SLICE_NONE);
	else
		sse_event(elements, record, (struct slice){id, record_id_write(id, record->id)});
}

static void events_head(struct buf *head, struct slice sub, struct slice cursor, size_t count)
{
	(void)head;
	(void)sub;
	(void)cursor;
	(void)count;
}

static void events_tail(struct buf *elements)
{
	(void)elements;
}

static void chunk_head(struct buf *head, const struct value *id, uint64_t seq, size_t count)
{
	(void)head;
	(void)id;
	(void)seq;
	(void)count;
}

static bool member(struct arena *arena, struct slice message, const char *name, struct slice *ret_json)
{
	return codec_json.member(arena, message, name, ret_json);
}

const struct codec codec_sse = {
	.name = "sse",
	.decode = decode,
	.encode = encode,
	.events_add = events_add,
	.events_head = events_head,
	.events_tail = events_tail,
	.replay_head = events_head,
	.chunk_head = chunk_head,
	.member = member,
};
