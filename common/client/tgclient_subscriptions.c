/* What a client wants to see: asked for whenever there is a connection, from where it was. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/client/tgclient_inside.h"
#include "common/codec/json.h"

#define ASKED_MAX 16 /* at once, so that a node's command rate is not overrun by a client that comes back with many */
#define RETRY_MS 1000
#define RETRY_MAX_MS 60000
#define AGO_DIGITS_MAX 12
#define TEXTS_BYTES_MAX ((size_t)256 << 20) /* as much as a node that is set up for speed keeps for all of its clients */

static struct tgc_sub *sub_of(struct list *at)
{
	return LIST_ENTRY(at, struct tgc_sub, link);
}

static void free_sub(struct tgc_client *client, struct tgc_sub *sub)
{
	list_remove(&sub->link);
	client->sub_count--;
	buf_fini(&sub->members);
	buf_fini(&sub->key);
	buf_fini(&sub->cursor);
	buf_fini(&sub->since);
	tgc_texts_clear(&sub->texts);
	free(sub);
}

void tgc_subscriptions_free(struct tgc_client *client)
{
	while (!list_is_empty(&client->subs))
		free_sub(client, sub_of(client->subs.next)); /* NOLINT(clang-analyzer-unix.Malloc): it has left the list */
}

static struct tgc_sub *find(const struct tgc_client *client, uint64_t number)
{
	LIST_FOREACH(&client->subs, at, following) {
		if (sub_of(at)->sub == number && !sub_of(at)->is_dropped)
			return sub_of(at);
	}
	return NULL;
}

/* "-<digits><unit>" in ms. False: it is something else, which the node may judge. */
static bool read_ago(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t digits = text[0] == '-' ? strspn(text + 1, "0123456789") : 0;
	if (digits == 0 || digits > AGO_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(text + 1 + digits, units[i].unit) == 0) {
			*ret_ms = strtoull(text + 1, NULL, 10) * units[i].ms;
			return true;
		}
	}
	return false;
}

static void take_since(struct tgc_sub *sub, const char *since, uint64_t now_ms)
{
	if (!since || strcmp(since, "now") == 0)
		return;
	if (read_ago(since, &sub->ago_ms)) {
		sub->since_kind = TGC_SINCE_AGO;
		sub->asked_at_ms = now_ms;
		return;
	}
	sub->since_kind = TGC_SINCE_JSON;
	if (*since >= '1' && *since <= '9' && strspn(since, "0123456789") == strlen(since))
		buf_append_text(&sub->since, since);
	else
		json_append_string(&sub->since, slice_of(since));
}

static void append_strings(struct buf *out, const char *const *texts, size_t count)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		json_append_string(out, slice_of(texts[i]));
	}
	buf_append_char(out, ']');
}

static void append_members(struct buf *out, const struct tgc_subscription *wish)
{
	if (wish->channel_count) {
		buf_append_text(out, ",\"channels\":");
		append_strings(out, wish->channels, wish->channel_count);
	}
	if (wish->filter) {
		buf_append_text(out, ",\"filter\":");
		buf_append_text(out, wish->filter);
	}
	if (wish->slow) {
		buf_append_text(out, ",\"slow\":");
		json_append_string(out, slice_of(wish->slow));
	}
	if (wish->delta)
		buf_append_text(out, ",\"delta\":\"fossil\"");
}

static bool is_object(const char *text)
{
	enum json_kind kind;
	return json_is_valid(slice_of(text), &kind, NULL) && kind == JSON_OBJECT;
}

enum tgc_result tgc_subscribe(struct tgc_client *client, const struct tgc_subscription *wish, uint64_t *ret_sub)
{
	if (wish->filter && !is_object(wish->filter))
		return tgc_fail(client, TGC_INVALID, "filter: a JSON object is needed");
	if (client->sub_count >= client->subscriptions_max)
		return tgc_fail(client, TGC_LIMIT, "too many subscriptions");
	struct tgc_sub *sub = calloc(1, sizeof *sub);
	if (!sub)
		return tgc_fail(client, TGC_NOMEM, "no memory for the subscription");
	sub->sub = client->next_sub++;
	sub->has_deltas = wish->delta;
	tgc_texts_init(&sub->texts, TEXTS_BYTES_MAX);
	append_members(&sub->members, wish);
	take_since(sub, wish->since, clock_mono_ms());
	list_append(&client->subs, &sub->link);
	client->sub_count++;
	if (buf_has_failed(&sub->members) || buf_has_failed(&sub->since)) {
		free_sub(client, sub);
		return tgc_fail(client, TGC_NOMEM, "no memory for the subscription");
	}
	client->has_work = true;
	if (ret_sub)
		*ret_sub = sub->sub;
	return TGC_OK;
}

enum tgc_result tgc_unsubscribe(struct tgc_client *client, uint64_t number)
{
	struct tgc_sub *sub = find(client, number);
	if (!sub)
		return tgc_fail(client, TGC_INVALID, "there is no such subscription");
	sub->is_dropped = true;
	client->has_work = true;
	return TGC_OK;
}

struct tgc_text tgc_cursor(const struct tgc_client *client, uint64_t number)
{
	const struct tgc_sub *sub = find(client, number);
	return sub ? (struct tgc_text){sub->cursor.bytes, sub->cursor.len} : (struct tgc_text){NULL, 0};
}

void tgc_subscriptions_rewind(struct tgc_client *client)
{
	client->asked_count = 0;
	client->hold_until_ms = 0;
	client->has_work = false;
	LIST_FOREACH(&client->subs, at, following) {
		struct tgc_sub *sub = sub_of(at);
		sub->state = TGC_SUB_WANTED;
		sub->asked_resync = false;
		buf_clear(&sub->key);
		tgc_texts_clear(&sub->texts);
	}
}

static void append_since(struct buf *out, struct tgc_sub *sub, uint64_t now_ms)
{
	sub->asked_since = true;
	if (sub->cursor.len) {
		/* The inside of a JSON string as the node wrote it. */
		buf_append_text(out, ",\"since\":\"");
		buf_append_slice(out, buf_slice(&sub->cursor));
		buf_append_char(out, '"');
	} else if (sub->since_kind == TGC_SINCE_JSON) {
		buf_append_text(out, ",\"since\":");
		buf_append_slice(out, buf_slice(&sub->since));
	} else if (sub->since_kind == TGC_SINCE_AGO) {
		/* Counted from when the user asked: time that passed without a node must not move it. */
		buf_append_text(out, ",\"since\":\"-");
		buf_append_u64(out, sub->ago_ms + (now_ms - sub->asked_at_ms));
		buf_append_text(out, "ms\"");
	} else {
		sub->asked_since = false;
	}
}

/* Tells the user that the subscription has ended, by itself or because it cannot be asked for. */
static void refuse(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_reply *reply)
{
	bool is_told = !sub->is_dropped;
	sub->is_dropped = true;
	client->has_work = true;
	if (is_told && client->handlers.on_subscribed)
		client->handlers.on_subscribed(client, client->handlers.context, sub->sub, reply);
}

static void refuse_long(struct tgc_client *client, struct tgc_sub *sub)
{
	const struct slice code = SLICE_LITERAL("too_long"), message = SLICE_LITERAL("longer than the messages that the node takes");
	const struct tgc_reply reply = {.kind = TGC_REPLY_ERROR, .code = tgc_text_of(code), .message = tgc_text_of(message)};
	refuse(client, sub, &reply);
}

static void ask(struct tgc_client *client, struct tgc_sub *sub, uint64_t now_ms)
{
	struct buf *text = &client->text;
	uint64_t id = client->next_request++;
	buf_clear(text);
	buf_printf(text, "{\"id\":%llu,\"op\":\"subscribe\"", (unsigned long long)id);
	buf_append_slice(text, buf_slice(&sub->members));
	append_since(text, sub, now_ms);
	buf_append_char(text, '}');
	if (text->len > client->node_bytes_max) {
		refuse_long(client, sub);
		return;
	}
	enum tgc_result result = tgc_send_text(client, buf_slice(text));
	if (result) {
		client->hold_until_ms = now_ms + RETRY_MS;
		return;
	}
	sub->state = TGC_SUB_ASKED;
	sub->request = id;
	client->asked_count++;
}

bool tgc_subscription_is_shared(const struct tgc_client *client, const struct tgc_sub *one)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed has left the list */
	LIST_FOREACH(&client->subs, at, following) {
		const struct tgc_sub *sub = sub_of(at);
		if (sub != one && !sub->is_dropped && sub->state == TGC_SUB_LIVE &&
		    slice_equal(buf_slice(&sub->key), buf_slice(&one->key)))
			return true;
	}
	return false;
}

/* Takes a dropped subscription back from the node. False: not yet. */
static bool let_go(struct tgc_client *client, struct tgc_sub *sub)
{
	if (client->state != TGC_OPEN || !sub->key.len)
		return true;
	if (client->asked_count)
		return false; /* one that is being asked for may turn out to have the same key */
	if (tgc_subscription_is_shared(client, sub))
		return true;
	buf_clear(&client->text);
	buf_append_text(&client->text, "{\"op\":\"unsubscribe\",\"sub\":\"");
	buf_append_slice(&client->text, buf_slice(&sub->key));
	buf_append_text(&client->text, "\"}");
	return tgc_send_text(client, buf_slice(&client->text)) == TGC_OK;
}

static void drop_dropped(struct tgc_client *client)
{
	LIST_FOREACH(&client->subs, at, following) {
		if (sub_of(at)->is_dropped && let_go(client, sub_of(at)))
			free_sub(client, sub_of(at));
	}
}

void tgc_subscriptions_sweep(struct tgc_client *client, uint64_t now_ms)
{
	uint64_t connection = client->connection;
	client->has_work = false;
	drop_dropped(client);
	if (client->state != TGC_OPEN || now_ms < client->hold_until_ms)
		return;
	client->hold_until_ms = 0;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed has left the list */
	LIST_FOREACH(&client->subs, at, following) {
		struct tgc_sub *sub = sub_of(at);
		if (client->connection != connection || client->hold_until_ms || client->asked_count >= ASKED_MAX)
			return;
		if (sub->state == TGC_SUB_WANTED && !sub->is_dropped)
			ask(client, sub, now_ms);
	}
}

bool tgc_subscriptions_wait(const struct tgc_client *client)
{
	return client->state == TGC_OPEN && client->hold_until_ms > 0;
}

static struct tgc_sub *find_asked(const struct tgc_client *client, uint64_t request)
{
	LIST_FOREACH(&client->subs, at, following) {
		if (sub_of(at)->state == TGC_SUB_ASKED && sub_of(at)->request == request)
			return sub_of(at);
	}
	return NULL;
}

static void tell_offline(struct tgc_client *client, const struct tgc_sub *sub)
{
	const struct slice reason = SLICE_LITERAL("offline");
	const struct tgc_gap gap = {.sub = sub->sub, .dropped = -1, .reason = tgc_text_of(reason)};
	if (client->handlers.on_gap && !sub->is_dropped)
		client->handlers.on_gap(client, client->handlers.context, &gap);
}

static void take(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_message *message)
{
	const struct tgc_reply reply = {.kind = TGC_REPLY_OK, .json = tgc_text_of(message->body)};
	struct slice key = tgc_inside(tgc_slice_of(tgc_find(reply.json, "/sub")));
	struct slice cursor = tgc_inside(tgc_slice_of(tgc_find(reply.json, "/cursor")));
	bool lost_sight = sub->was_live && !sub->asked_since;
	uint64_t connection = client->connection;
	sub->state = TGC_SUB_LIVE;
	sub->was_live = true;
	buf_clear(&sub->key);
	buf_append_slice(&sub->key, key);
	if (!sub->asked_since) /* else it is where the node stands, and what lies before it is still to come */
		buf_append_slice(&sub->cursor, cursor);
	if (!key.len || sub->key.len > TGC_KEY_MAX || sub->cursor.len > TGC_CURSOR_MAX || buf_has_failed(&sub->key) ||
	    buf_has_failed(&sub->cursor)) {
		buf_clear(&sub->cursor);
		tgc_lose(client, false, 0, "the node gave a subscription no usable key or cursor, or there is no memory for it", 0);
		return;
	}
	if (client->handlers.on_subscribed && !sub->is_dropped)
		client->handlers.on_subscribed(client, client->handlers.context, sub->sub, &reply);
	if (lost_sight && client->connection == connection)
		tell_offline(client, sub);
}

bool tgc_subscription_reply(struct tgc_client *client, const struct tgc_message *message, uint64_t now_ms)
{
	struct tgc_sub *sub = find_asked(client, message->id);
	struct tgc_reply reply;
	if (!sub)
		return false;
	client->asked_count--;
	client->has_work = true;
	if (message->kind == TGC_MESSAGE_OK) {
		take(client, sub, message);
		return true;
	}
	sub->state = TGC_SUB_WANTED;
	tgc_error_read(message->body, &client->channel, &reply);
	if (reply.temporary) {
		uint64_t pause_ms = reply.retry_after_ms ? reply.retry_after_ms : RETRY_MS;
		client->hold_until_ms = now_ms + (pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
		if (client->handlers.on_postponed && !sub->is_dropped)
			client->handlers.on_postponed(client, client->handlers.context, sub->sub, &reply);
		return true;
	}
	refuse(client, sub, &reply);
	return true;
}
