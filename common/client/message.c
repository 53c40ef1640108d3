#include "common/client/message.h"

#include "common/base/decimal.h"
#include "common/codec/base64.h"
#include "common/codec/json.h"

#define DIGITS_MAX 18
#define ANY_KIND (-1)

struct slice tgc_inside(struct slice raw)
{
	return raw.len >= 2 && raw.ptr[0] == '"' ? (struct slice){raw.ptr + 1, raw.len - 2} : SLICE_NONE;
}

static bool read_number(struct slice raw, uint64_t *ret_number)
{
	return raw.len <= DIGITS_MAX && decimal_read(raw, UINT64_MAX, ret_number);
}

uint64_t tgc_number(struct slice raw)
{
	uint64_t number = 0;
	return read_number(raw, &number) ? number : 0;
}

/* A member that somebody waits for: its name, its kind, and where its raw text goes. */
struct wanted {
	const char *name;
	int kind; /* of enum json_kind, or ANY_KIND; a member of another kind counts as absent */
	struct slice *place;
};

struct wanted_list {
	const struct wanted *wanted;
	size_t count;
};

static void take_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	const struct wanted_list *list = context;
	for (size_t i = 0; i < list->count; i++) {
		const struct wanted *wanted = &list->wanted[i];
		if (slice_is(raw_key, wanted->name))
			*wanted->place = wanted->kind == ANY_KIND || wanted->kind == (int)kind ? raw_value : SLICE_NONE;
	}
}

/* False: text is no JSON object. */
static bool scan(struct slice text, const struct wanted *wanted, size_t count)
{
	struct wanted_list list = {wanted, count};
	enum json_kind kind;
	return json_scan(text, take_member, &list, &kind) && kind == JSON_OBJECT;
}

static enum tgc_message_kind kind_of(struct slice op)
{
	static const struct {
		const char *op;
		enum tgc_message_kind kind;
	} known[] = {{"\"events\"", TGC_MESSAGE_EVENTS},
		     {"\"chunk\"", TGC_MESSAGE_CHUNK},
		     {"\"gap\"", TGC_MESSAGE_GAP},
		     {"\"replayEnd\"", TGC_MESSAGE_REPLAY_END},
		     {"\"notice\"", TGC_MESSAGE_NOTICE},
		     {"\"welcome\"", TGC_MESSAGE_WELCOME}};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (slice_is(op, known[i].op))
			return known[i].kind;
	return TGC_MESSAGE_OTHER;
}

enum err tgc_message_read(struct slice text, struct tgc_message *ret_message)
{
	struct tgc_message message = {.json = text, .dropped = -1};
	struct slice op = SLICE_NONE, id = SLICE_NONE, ok = SLICE_NONE, error = SLICE_NONE, dropped = SLICE_NONE;
	struct slice heartbeat = SLICE_NONE, limits = SLICE_NONE, message_bytes = SLICE_NONE, reconnect_in = SLICE_NONE;
	struct slice sub = SLICE_NONE, cursor = SLICE_NONE, after = SLICE_NONE, before = SLICE_NONE;
	struct slice reason = SLICE_NONE, code = SLICE_NONE, replay = SLICE_NONE;
	const struct wanted members[] = {
		{"op", JSON_STRING, &op},
		{"id", JSON_NUMBER, &id},
		{"sub", JSON_STRING, &sub},
		{"replay", JSON_STRING, &replay},
		{"cursor", JSON_STRING, &cursor},
		{"events", JSON_ARRAY, &message.events},
		{"ok", JSON_OBJECT, &ok},
		{"error", JSON_OBJECT, &error},
		{"after", JSON_STRING, &after},
		{"before", JSON_STRING, &before},
		{"reason", JSON_STRING, &reason},
		{"code", JSON_STRING, &code},
		{"dropped", JSON_NUMBER, &dropped},
		{"heartbeatMs", JSON_NUMBER, &heartbeat},
		{"limits", JSON_OBJECT, &limits},
		{"reconnectInMs", JSON_NUMBER, &reconnect_in},
	};
	const struct wanted limit_members[] = {{"messageBytes", JSON_NUMBER, &message_bytes}};
	if (!scan(text, members, sizeof members / sizeof members[0]))
		return ERR_INVALID;
	if (limits.len && !scan(limits, limit_members, 1))
		return ERR_INVALID;
	uint64_t count;
	message.kind = op.len ? kind_of(op) : ok.len ? TGC_MESSAGE_OK : error.len ? TGC_MESSAGE_ERROR : TGC_MESSAGE_OTHER;
	message.body = ok.len ? ok : error;
	message.id = tgc_number(id);
	message.sub = tgc_inside(sub);
	message.replay = tgc_inside(replay);
	message.cursor = tgc_inside(cursor);
	message.after = tgc_inside(after);
	message.before = tgc_inside(before);
	message.reason = tgc_inside(reason);
	message.code = tgc_inside(code);
	message.dropped = read_number(dropped, &count) ? (int64_t)count : -1;
	message.heartbeat_ms = tgc_number(heartbeat);
	message.message_bytes = tgc_number(message_bytes);
	message.reconnect_in_ms = tgc_number(reconnect_in);
	*ret_message = message;
	return OK;
}

/* The text that a raw JSON string means; in out only where it has escapes. False: no memory. */
static bool unescape(struct slice raw_inside, struct buf *out, struct slice *ret_text)
{
	*ret_text = raw_inside;
	if (!json_has_escapes(raw_inside))
		return true;
	buf_clear(out);
	char *text = buf_extend(out, raw_inside.len);
	if (!text)
		return false;
	*ret_text = (struct slice){text, json_unescape(raw_inside, text)};
	return true;
}

bool tgc_change_read(struct slice element, struct buf *channel, struct tgc_event *ret_event, struct tgc_change *ret_change)
{
	struct slice id = SLICE_NONE, name = SLICE_NONE, ts = SLICE_NONE, format = SLICE_NONE, data = SLICE_NONE, text;
	struct slice full = SLICE_NONE, delta = SLICE_NONE;
	const struct wanted members[] = {{"id", JSON_STRING, &id},
					 {"channel", JSON_STRING, &name},
					 {"ts", JSON_NUMBER, &ts},
					 {"format", JSON_STRING, &format},
					 {"data", ANY_KIND, &data},
					 {"full", JSON_STRING, &full},
					 {"delta", JSON_STRING, &delta}};
	if (!scan(element, members, sizeof members / sizeof members[0]) || !name.len || (!data.len && !full.len && !delta.len))
		return false;
	if (!unescape(tgc_inside(name), channel, &text))
		return false;
	ret_event->id = tgc_text_of(tgc_inside(id));
	ret_event->channel = tgc_text_of(text);
	ret_event->ts_ms = tgc_number(ts);
	ret_event->data = tgc_text_of(data);
	ret_event->format = tgc_text_of(tgc_inside(format));
	ret_event->element = tgc_text_of(element);
	*ret_change = (struct tgc_change){.is_full = !data.len && full.len,
					  .is_delta = !data.len && !full.len,
					  .full = tgc_inside(full),
					  .delta = tgc_inside(delta)};
	return true;
}

bool tgc_event_read(struct slice element, struct buf *channel, struct tgc_event *ret_event)
{
	struct tgc_event event = *ret_event;
	struct tgc_change change;
	if (!tgc_change_read(element, channel, &event, &change) || !event.data.len)
		return false;
	*ret_event = event;
	return true;
}

void tgc_error_read(struct slice error, struct buf *message, struct tgc_reply *ret_reply)
{
	struct slice code = SLICE_NONE, sentence = SLICE_NONE, retry_after = SLICE_NONE, temporary = SLICE_NONE, text;
	const struct wanted members[] = {{"code", JSON_STRING, &code},
					 {"message", JSON_STRING, &sentence},
					 {"temporary", JSON_TRUE, &temporary},
					 {"retryAfterMs", JSON_NUMBER, &retry_after}};
	*ret_reply = (struct tgc_reply){.kind = TGC_REPLY_ERROR, .json = tgc_text_of(error)};
	if (!scan(error, members, sizeof members / sizeof members[0]))
		return;
	if (!unescape(tgc_inside(sentence), message, &text))
		text = tgc_inside(sentence);
	ret_reply->code = tgc_text_of(tgc_inside(code));
	ret_reply->message = tgc_text_of(text);
	ret_reply->temporary = temporary.len > 0;
	ret_reply->retry_after_ms = tgc_number(retry_after);
}

size_t tgc_payload(const struct tgc_event *event, char *ret_bytes)
{
	struct slice data = tgc_slice_of(event->data), inside = tgc_inside(data);
	size_t len = 0;
	if (event->format.len == 0) {
		if (data.len)
			memcpy(ret_bytes, data.ptr, data.len);
		return data.len;
	}
	if (slice_is(tgc_slice_of(event->format), "text"))
		return json_unescape(inside, ret_bytes);
	return base64_decode(inside, ret_bytes, &len) ? len : 0;
}

struct tgc_text tgc_find(struct tgc_text json, const char *pointer)
{
	struct slice raw = SLICE_NONE;
	enum json_kind kind;
	if (!json.len || !json_is_pointer(slice_of(pointer)) || !json_find(tgc_slice_of(json), slice_of(pointer), &raw, &kind))
		return (struct tgc_text){NULL, 0};
	return tgc_text_of(raw);
}
