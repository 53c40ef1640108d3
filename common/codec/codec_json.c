#include <stdio.h>
#include <string.h>

#include "common/codec/codec.h"
#include "common/codec/json.h"

static enum err decode(struct arena *arena, struct slice message, struct value **ret_value, char ret_why[128])
{
	struct json_error problem = {0, ""};
	enum err error = json_decode(arena, message, ret_value, &problem);
	if (error)
		snprintf(ret_why, 128, "not valid JSON: %s at byte %zu", problem.message, problem.at);
	return error;
}

static void events_add(struct buf *elements, const struct record *record, bool first)
{
	if (!first)
		buf_append_char(elements, ',');
	buf_append_slice(elements, record->element);
}

static void events_add_text(struct buf *elements, const struct record *record, const char *name, struct slice text, bool first)
{
	const char *data = record->payload.ptr - strlen("\"data\":");
	if (!first)
		buf_append_char(elements, ',');
	buf_append(elements, record->element.ptr, (size_t)(data - record->element.ptr));
	buf_append_char(elements, '"');
	buf_append_text(elements, name);
	buf_append_text(elements, "\":");
	json_append_string(elements, text);
	buf_append_char(elements, '}');
}

/* JSON needs no counts in front. */
static void append_head(struct buf *head, const char *owner, struct slice key, struct slice cursor)
{
	buf_append_text(head, "{\"op\":\"events\",\"");
	buf_append_text(head, owner);
	buf_append_text(head, "\":");
	json_append_string(head, key);
	if (cursor.len) {
		buf_append_text(head, ",\"cursor\":");
		json_append_string(head, cursor);
	}
	buf_append_text(head, ",\"events\":[");
}

static void events_head(struct buf *head, struct slice sub, struct slice cursor, size_t count)
{
	(void)count;
	append_head(head, "sub", sub, cursor);
}

static void replay_head(struct buf *head, struct slice replay, struct slice cursor, size_t count)
{
	(void)count;
	append_head(head, "replay", replay, cursor);
}

static void events_tail(struct buf *elements)
{
	buf_append_text(elements, "]}");
}

static void chunk_head(struct buf *head, const struct value *id, uint64_t seq, size_t count)
{
	(void)count;
	buf_append_text(head, "{\"op\":\"chunk\",\"id\":");
	json_encode(head, id);
	buf_append_text(head, ",\"seq\":");
	buf_append_u64(head, seq);
	buf_append_text(head, ",\"events\":[");
}

static bool member(struct arena *arena, struct slice message, const char *name, struct slice *ret_json)
{
	char pointer[64];
	enum json_kind kind;
	(void)arena; /* nothing is made anew */
	int len = snprintf(pointer, sizeof pointer, "/%s", name);
	return len > 0 && (size_t)len < sizeof pointer &&
	       json_find(message, (struct slice){pointer, (size_t)len}, ret_json, &kind);
}

const struct codec codec_json = {
    .name = "json",
    .decode = decode,
    .encode = json_encode,
    .events_add = events_add,
    .events_head = events_head,
    .events_tail = events_tail,
    .events_add_text = events_add_text,
    .replay_head = replay_head,
    .chunk_head = chunk_head,
    .member = member,
};
