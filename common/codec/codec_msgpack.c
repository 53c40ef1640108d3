#include <stdio.h>

#include "common/codec/base64.h"
#include "common/codec/codec.h"
#include "common/codec/msgpack.h"
#include "common/codec/msgpack_write.h"

static enum err decode(struct arena *arena, struct slice message, struct value **ret_value, char ret_why[128])
{
	struct msgpack_error problem = {0, ""};
	enum err error = msgpack_decode(arena, message, ret_value, &problem);
	if (error)
		snprintf(ret_why, 128, "not MessagePack as a request may be: %s at byte %zu", problem.message, problem.at);
	return error;
}

/* The payload as it was published when it is JSON with a number that would have to be rounded. */
static void append_json(struct buf *out, struct slice json)
{
	size_t start = out->len;
	msgpack_append_text(out, "data");
	if (msgpack_append_json(out, json) == OK)
		return;
	out->len = start;
	msgpack_append_text(out, "json");
	msgpack_append_string(out, json);
}

static void append_base64(struct buf *out, struct slice bytes)
{
	struct buf text;
	buf_init(&text);
	char *place = buf_extend(&text, BASE64_LEN(bytes.len));
	if (place)
		base64_encode(bytes, place);
	else
		out->failed = true;
	msgpack_append_string(out, buf_slice(&text));
	buf_fini(&text);
}

static void append_payload(struct buf *out, const struct record *record)
{
	if (record->format == RECORD_JSON) {
		append_json(out, record->payload);
		return;
	}
	msgpack_append_text(out, "data");
	if (record->format == RECORD_TEXT)
		msgpack_append_string(out, record->payload);
	else
		append_base64(out, record->payload);
	msgpack_append_text(out, "format");
	msgpack_append_text(out, record->format == RECORD_TEXT ? "text" : "base64");
}

/* All but the payload, which is so many more members. */
static void append_event_head(struct buf *out, const struct record *record, size_t more)
{
	bool has_id = !record_id_is_zero(record->id);
	char id[RECORD_ID_TEXT];
	msgpack_append_map(out, 2 + (size_t)has_id + more);
	if (has_id) {
		msgpack_append_text(out, "id");
		msgpack_append_string(out, (struct slice){id, record_id_write(id, record->id)});
	}
	msgpack_append_text(out, "channel");
	msgpack_append_string(out, record->channel);
	msgpack_append_text(out, "ts");
	msgpack_append_uint(out, record->ts_ms);
}

static void append_event(struct buf *out, const struct record *record)
{
	append_event_head(out, record, record->format == RECORD_JSON ? 1 : 2);
	append_payload(out, record);
}

/* Once for all who want it. NULL: no memory. */
static const struct blob *pack(const struct record *record)
{
	struct buf out;
	buf_init(&out);
	append_event(&out, record);
	struct blob *blob = buf_has_failed(&out) ? NULL : blob_new(out.bytes, out.len);
	buf_fini(&out);
	return blob ? record_keep_packed(record, blob) : NULL;
}

static void events_add(struct buf *elements, const struct record *record, bool first)
{
	(void)first; /* nothing stands between elements */
	const struct blob *packed = record_packed(record);
	if (!packed)
		packed = pack(record);
	if (packed)
		buf_append(elements, packed->bytes, packed->len);
	else
		elements->failed = true;
}

static void events_add_text(struct buf *elements, const struct record *record, const char *name, struct slice text, bool first)
{
	(void)first;
	append_event_head(elements, record, 1);
	msgpack_append_text(elements, name);
	msgpack_append_bytes(elements, text);
}

static void append_head(struct buf *head, const char *owner, struct slice key, struct slice cursor, size_t count)
{
	msgpack_append_map(head, 3 + (cursor.len > 0));
	msgpack_append_text(head, "op");
	msgpack_append_text(head, "events");
	msgpack_append_text(head, owner);
	msgpack_append_string(head, key);
	if (cursor.len) {
		msgpack_append_text(head, "cursor");
		msgpack_append_string(head, cursor);
	}
	msgpack_append_text(head, "events");
	msgpack_append_array(head, count);
}

static void events_head(struct buf *head, struct slice sub, struct slice cursor, size_t count)
{
	append_head(head, "sub", sub, cursor, count);
}

static void replay_head(struct buf *head, struct slice replay, struct slice cursor, size_t count)
{
	append_head(head, "replay", replay, cursor, count);
}

static void events_tail(struct buf *elements)
{
	(void)elements; /* counts in front say where all ends */
}

/* Whoever asks only how long a head can get gives counts that no array has: the longest form serves. */
static void chunk_head(struct buf *head, const struct value *id, uint64_t seq, size_t count)
{
	msgpack_append_map(head, 4);
	msgpack_append_text(head, "op");
	msgpack_append_text(head, "chunk");
	msgpack_append_text(head, "id");
	msgpack_encode(head, id);
	msgpack_append_text(head, "seq");
	msgpack_append_uint(head, seq);
	msgpack_append_text(head, "events");
	msgpack_append_array(head, count > UINT32_MAX ? UINT32_MAX : count);
}

static bool member(struct arena *arena, struct slice message, const char *name, struct slice *ret_json)
{
	struct buf json;
	buf_init(&json);
	bool is_there = msgpack_member(message, slice_of(name), &json) && !buf_has_failed(&json);
	char *copy = is_there ? arena_copy(arena, json.bytes, json.len) : NULL;
	if (copy)
		*ret_json = (struct slice){copy, json.len};
	buf_fini(&json);
	return copy != NULL;
}

const struct codec codec_msgpack = {
    .name = "msgpack",
    .is_binary = true,
    .decode = decode,
    .encode = msgpack_encode,
    .events_add = events_add,
    .events_head = events_head,
    .events_tail = events_tail,
    .events_add_text = events_add_text,
    .replay_head = replay_head,
    .chunk_head = chunk_head,
    .member = member,
};
