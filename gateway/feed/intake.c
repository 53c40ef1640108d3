#include "gateway/feed/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/base64.h"
#include "common/codec/json.h"

#define TS_DIGITS "0000000000000"

const struct intake_fields intake_fields_default = {
    .session = {{SLICE_LITERAL("sessionId"), SLICE_LITERAL("session_id"), SLICE_LITERAL("session")}, 3},
    .agent = {{SLICE_LITERAL("agentId"), SLICE_LITERAL("agent_id"), SLICE_LITERAL("agent")}, 3},
    .type = {{SLICE_LITERAL("type"), SLICE_LITERAL("event")}, 2},
};

/* What the payload gives for one key: the raw text of each of its fields. */
struct key {
	const struct intake_names *names;
	struct {
		struct slice raw;
		enum json_kind kind;
	} found[INTAKE_NAMES_MAX];
};

enum { KEY_SESSION, KEY_AGENT, KEY_TYPE, KEYS };

struct keys {
	struct key list[KEYS];
	uint64_t marks; /* of all names: most of a payload's fields have another one and need no comparison */
};

static uint64_t mark_of(struct slice name)
{
	return UINT64_C(1) << ((name.len * 8 + (name.len ? (unsigned char)name.ptr[0] : 0)) & 63);
}

/* Of duplicate fields the last is kept, as clients' parsers do. */
static void on_member(void *context, struct slice raw_key, struct slice raw_value, enum json_kind kind)
{
	struct keys *keys = context;
	bool plain = !json_has_escapes(raw_key);
	if (plain && !(keys->marks & mark_of(raw_key)))
		return;
	for (struct key *key = keys->list; key < keys->list + KEYS; key++) {
		for (size_t i = 0; i < key->names->count; i++) {
			struct slice name = key->names->names[i];
			if (plain ? !slice_equal(raw_key, name) : !json_string_is(raw_key, name))
				continue;
			key->found[i].raw = raw_value;
			key->found[i].kind = kind;
		}
	}
}

/* The raw text of the first field that can serve: a number, or the inside of a string. Empty: none. */
static struct slice choose(const struct key *key)
{
	for (size_t i = 0; i < key->names->count; i++) {
		struct slice raw = key->found[i].raw;
		if (raw.len && key->found[i].kind == JSON_NUMBER)
			return raw;
		if (raw.len > 2 && key->found[i].kind == JSON_STRING)
			return (struct slice){raw.ptr + 1, raw.len - 2};
	}
	return SLICE_NONE;
}

/* What goes into one record, measured before anything is allocated. */
struct draft {
	struct slice channel, payload;
	enum record_format format;
	bool is_object;
	size_t channel_len, data_len; /* in the element, without quotes */
	struct slice keys[KEYS];      /* raw; views into payload */
};

static void draft_init(struct draft *draft, const struct intake_fields *fields, struct slice channel,
                       struct slice payload)
{
	struct keys keys;
	enum json_kind kind = JSON_NULL;
	*draft = (struct draft){.channel = channel, .payload = payload, .channel_len = json_escape(channel, NULL)};
	const struct intake_names *names[KEYS] = {&fields->session, &fields->agent, &fields->type};
	keys.marks = 0;
	for (size_t i = 0; i < KEYS; i++) {
		keys.list[i].names = names[i];
		for (size_t j = 0; j < names[i]->count; j++) {
			keys.list[i].found[j].raw = SLICE_NONE;
			keys.marks |= mark_of(names[i]->names[j]);
		}
	}
	if (json_scan_within(payload, INTAKE_DEPTH_MAX, on_member, &keys, &kind)) {
		draft->format = RECORD_JSON;
		draft->data_len = payload.len;
		draft->is_object = kind == JSON_OBJECT;
		for (size_t i = 0; i < KEYS; i++)
			draft->keys[i] = choose(&keys.list[i]);
	} else if (json_is_utf8(payload)) {
		draft->format = RECORD_TEXT;
		draft->data_len = json_escape(payload, NULL);
	} else {
		draft->format = RECORD_BASE64;
		draft->data_len = BASE64_LEN(payload.len);
	}
}

static const char element_head[] = "{\"channel\":\"", element_ts[] = "\",\"ts\":" TS_DIGITS ",\"data\":";
static const char *const element_tails[] = {
    [RECORD_JSON] = "}", [RECORD_TEXT] = ",\"format\":\"text\"}", [RECORD_BASE64] = ",\"format\":\"base64\"}"};

/* Bytes behind the element: the channel, the payload where the element does not hold it, and unescaped keys (a session
 * from the channel takes up to the channel's length in the element). */
static size_t measure(const struct draft *draft)
{
	size_t element = sizeof element_head - 1 + draft->channel_len + sizeof element_ts - 1 + draft->data_len + 2 +
	                 strlen(element_tails[draft->format]);
	size_t behind = draft->channel.len + draft->channel_len + draft->payload.len;
	for (size_t i = 0; i < KEYS; i++)
		behind += draft->keys[i].len;
	return RECORD_ID_ROOM + element + behind;
}

static char *put(char *at, const char *bytes, size_t len)
{
	if (len)
		memcpy(at, bytes, len);
	return at + len;
}

static char *put_data(char *at, const struct draft *draft, struct slice *ret_inside)
{
	size_t quotes = draft->format != RECORD_JSON;
	at = put(at, "\"", quotes);
	*ret_inside = (struct slice){at, draft->data_len};
	if (draft->format == RECORD_JSON)
		put(at, draft->payload.ptr, draft->payload.len);
	else if (draft->format == RECORD_TEXT)
		json_escape(draft->payload, at);
	else
		base64_encode(draft->payload, at);
	return put(at + draft->data_len, "\"", quotes);
}

/* Writes the element from "at" on and gives its end. */
static char *put_element(struct record *record, char *at, const struct draft *draft, struct slice *ret_data)
{
	const char *tail = element_tails[draft->format];
	record->plain_element = at;
	at = put(at, element_head, sizeof element_head - 1);
	at += json_escape(draft->channel, at);
	at = put(at, element_ts, sizeof element_ts - 1);
	record->ts_at = at - (sizeof TS_DIGITS - 1) - strlen(",\"data\":");
	at = put_data(at, draft, ret_data);
	at = put(at, tail, strlen(tail));
	record->element = (struct slice){record->plain_element, (size_t)(at - record->plain_element)};
	return at;
}

/* A key without escapes is a view into the payload, any other an unescaped copy at *at. */
static struct slice place_key(const struct draft *draft, size_t key, struct slice data, char **at)
{
	struct slice raw = draft->keys[key];
	if (!json_has_escapes(raw))
		return raw.len ? (struct slice){data.ptr + (raw.ptr - draft->payload.ptr), raw.len} : SLICE_NONE;
	struct slice text = {*at, json_unescape(raw, *at)};
	*at += text.len;
	return text;
}

/* The channel's part after the first colon. A channel that is not UTF-8 gives it as the element shows it. */
static struct slice session_of_channel(const struct draft *draft, struct slice channel, char **at)
{
	const char *colon = channel.len ? memchr(channel.ptr, ':', channel.len) : NULL;
	if (!colon)
		return SLICE_NONE;
	struct slice suffix = {colon + 1, channel.len - (size_t)(colon + 1 - channel.ptr)};
	if (draft->channel_len == channel.len || json_is_utf8(suffix))
		return suffix;
	struct slice text = {*at, json_escape(suffix, *at)};
	text.len = json_unescape(text, *at);
	*at += text.len;
	return text;
}

struct record *intake_record(const struct intake_fields *fields, struct slice channel, struct slice payload,
                             uint64_t ts_ms, uint64_t received_ns)
{
	struct draft draft;
	struct slice data;
	draft_init(&draft, fields, channel, payload);
	struct record *record = malloc(sizeof *record + measure(&draft));
	if (!record)
		return NULL;
	*record = (struct record){
	    .kind = record_kind_of(channel),
	    .format = draft.format,
	    .is_object = draft.is_object,
	    .received_ns = received_ns,
	};
	refcount_init(&record->refs);
	char *at = put_element(record, (char *)(record + 1) + RECORD_ID_ROOM, &draft, &data);
	record->channel = (struct slice){at, channel.len};
	at = put(at, channel.ptr, channel.len);
	record->payload = data;
	if (draft.data_len != payload.len || draft.format == RECORD_BASE64) {
		record->payload = (struct slice){at, payload.len};
		at = put(at, payload.ptr, payload.len);
	}
	record->session = place_key(&draft, KEY_SESSION, data, &at);
	if (record->kind == RECORD_SYSTEM)
		record->session = SLICE_NONE;
	record->agent = place_key(&draft, KEY_AGENT, data, &at);
	record->type = place_key(&draft, KEY_TYPE, data, &at);
	if (!record->session.len && record->kind != RECORD_SYSTEM)
		record->session = session_of_channel(&draft, record->channel, &at);
	record_set_ts(record, ts_ms);
	return record;
}
