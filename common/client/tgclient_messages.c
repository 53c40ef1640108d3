/* What a node sends, and who is told. */
#include "common/client/elements.h"
#include "common/client/tgclient_inside.h"
#include "common/codec/json.h"

#define HEARTBEAT_MIN_MS 50
#define DRAIN_MAX_MS 600000
#define HEARTBEAT_MAX_MS ((uint64_t)24 * 3600 * 1000)

bool tgc_next_event(struct tgc_client *client, struct tgc_text *events, struct tgc_event *ret_event)
{
	struct slice rest = tgc_slice_of(*events), element;
	bool is_event = false;
	while (!is_event && tgc_elements_next(&rest, &element)) {
		*ret_event = (struct tgc_event){.sub = 0};
		is_event = tgc_event_read(element, &client->channel, ret_event);
	}
	*events = tgc_text_of(rest);
	return is_event;
}

static bool is_of(const struct tgc_sub *sub, const struct tgc_message *message)
{
	return sub->state == TGC_SUB_LIVE && !sub->is_dropped && slice_equal(buf_slice(&sub->key), message->sub);
}

static bool next_of(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_message *message, struct tgc_text *events,
		    struct tgc_event *ret_event)
{
	if (sub->has_deltas)
		return tgc_next_change(client, sub, message, events, ret_event);
	return tgc_next_event(client, events, ret_event);
}

/* Gives the events to one subscription. False: the connection ended meanwhile, by its own user. */
static bool give_events(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_message *message)
{
	struct tgc_text events = tgc_text_of(message->events);
	uint64_t connection = client->connection;
	struct tgc_event event = {.sub = 0};
	while (!sub->is_dropped && client->handlers.on_event && next_of(client, sub, message, &events, &event)) {
		event.sub = sub->sub;
		client->handlers.on_event(client, client->handlers.context, &event);
		if (client->connection != connection) {
			tgc_stop_behind(sub, event.id, message->cursor);
			return false;
		}
	}
	return client->connection == connection;
}

/* The batch was given whole: from here it would resume. */
static bool move_cursor(struct tgc_client *client, struct tgc_sub *sub, struct slice cursor)
{
	uint64_t connection = client->connection;
	if (!cursor.len || sub->is_dropped || sub->state != TGC_SUB_LIVE)
		return true;
	buf_clear(&sub->cursor);
	if (cursor.len <= TGC_CURSOR_MAX)
		buf_append_slice(&sub->cursor, cursor);
	if (cursor.len > TGC_CURSOR_MAX || buf_has_failed(&sub->cursor)) {
		tgc_lose(client, true, 0, "a cursor is too long, or there is no memory for it", 0);
		return false;
	}
	if (client->handlers.on_cursor)
		client->handlers.on_cursor(client, client->handlers.context, sub->sub, tgc_text_of(cursor));
	return client->connection == connection;
}

static void take_events(struct tgc_client *client, const struct tgc_message *message)
{
	LIST_FOREACH(&client->subs, at, following) {
		struct tgc_sub *sub = LIST_ENTRY(at, struct tgc_sub, link);
		if (is_of(sub, message) &&
		    (!give_events(client, sub, message) || !move_cursor(client, sub, message->cursor)))
			return;
	}
}

static void take_gap(struct tgc_client *client, const struct tgc_message *message)
{
	uint64_t connection = client->connection;
	struct tgc_gap gap = {.after = tgc_text_of(message->after),
			      .before = tgc_text_of(message->before),
			      .dropped = message->dropped,
			      .reason = tgc_text_of(message->reason)};
	LIST_FOREACH(&client->subs, at, following) {
		const struct tgc_sub *sub = LIST_ENTRY(at, struct tgc_sub, link);
		if (!is_of(sub, message) || !client->handlers.on_gap)
			continue;
		gap.sub = sub->sub;
		client->handlers.on_gap(client, client->handlers.context, &gap);
		if (client->connection != connection)
			return;
	}
}

static void take_replay(struct tgc_client *client, const struct tgc_message *message, enum tgc_replay_kind kind)
{
	const struct tgc_replay replay = {.kind = kind,
					  .replay = tgc_text_of(message->replay),
					  .events = tgc_text_of(message->events),
					  .cursor = tgc_text_of(message->cursor),
					  .json = tgc_text_of(message->json)};
	if (client->handlers.on_replay)
		client->handlers.on_replay(client, client->handlers.context, &replay);
}

static void take_notice(struct tgc_client *client, const struct tgc_message *message, uint64_t now_ms)
{
	const struct tgc_notice notice = {tgc_text_of(message->code), tgc_text_of(message->json)};
	if (slice_is(message->code, "draining"))
		client->drain_until_ms = now_ms + (message->reconnect_in_ms < DRAIN_MAX_MS ? message->reconnect_in_ms : DRAIN_MAX_MS);
	if (client->handlers.on_notice)
		client->handlers.on_notice(client, client->handlers.context, &notice);
}

static void take_welcome(struct tgc_client *client, const struct tgc_message *message, uint64_t now_ms)
{
	uint64_t heartbeat_ms = message->heartbeat_ms;
	if (client->state == TGC_OPEN)
		return;
	if (heartbeat_ms && heartbeat_ms < HEARTBEAT_MIN_MS)
		heartbeat_ms = HEARTBEAT_MIN_MS;
	if (heartbeat_ms > HEARTBEAT_MAX_MS)
		heartbeat_ms = HEARTBEAT_MAX_MS;
	client->silence_ms = heartbeat_ms ? heartbeat_ms + heartbeat_ms / 2 : TGC_NEVER;
	client->node_bytes_max = message->message_bytes ? message->message_bytes : TGC_NEVER;
	client->welcome_by_ms = TGC_NEVER;
	client->open_at_ms = client->heard_at_ms = now_ms;
	client->drain_until_ms = 0;
	client->state = TGC_OPEN;
	client->has_work = true;
	tgc_tell_state(client);
}

static void take_message(struct tgc_client *client, const struct tgc_inbox_item *item, uint64_t now_ms)
{
	struct tgc_message message;
	if (!item->is_text || tgc_message_read(item->payload, &message) != OK) {
		tgc_lose(client, false, 0, "the node sent a message that is no JSON object", 0);
		return;
	}
	switch (message.kind) {
	case TGC_MESSAGE_WELCOME:
		take_welcome(client, &message, now_ms);
		break;
	case TGC_MESSAGE_EVENTS:
		if (message.replay.len)
			take_replay(client, &message, TGC_REPLAY_EVENTS);
		else
			take_events(client, &message);
		break;
	case TGC_MESSAGE_GAP:
		if (message.replay.len)
			take_replay(client, &message, TGC_REPLAY_GAP);
		else
			take_gap(client, &message);
		break;
	case TGC_MESSAGE_REPLAY_END:
		take_replay(client, &message, TGC_REPLAY_END);
		break;
	case TGC_MESSAGE_NOTICE:
		take_notice(client, &message, now_ms);
		break;
	case TGC_MESSAGE_OK:
	case TGC_MESSAGE_ERROR:
		if (!tgc_subscription_reply(client, &message, now_ms))
			tgc_request_reply(client, &message);
		break;
	case TGC_MESSAGE_CHUNK:
		tgc_request_reply(client, &message);
		break;
	case TGC_MESSAGE_OTHER:
		break;
	}
}

/* The reason of a close frame; where the node gave none, what its code means. */
static void take_close(struct tgc_client *client, const struct tgc_inbox_item *item)
{
	char reason[TGC_WHY_MAX];
	struct slice said = item->payload.len ? item->payload : SLICE_LITERAL("closed by the node");
	uint8_t code[2] = {(uint8_t)(item->code >> 8), (uint8_t)item->code};
	struct slice answer = item->code == 1005 ? SLICE_NONE : (struct slice){(const char *)code, sizeof code};
	if (tgc_link_send(&client->link, WSFRAME_CLOSE, answer) == OK)
		tgc_link_flush(&client->link);
	size_t len = said.len < sizeof reason ? said.len : sizeof reason - 1;
	memcpy(reason, said.ptr, len);
	reason[len] = '\0';
	tgc_lose(client, tgc_close_is_final(item->code), item->code, reason, 0);
}

/* The node broke the rules of WebSocket. A message over our own limit would come again: that is for the user to change. */
static void take_bad(struct tgc_client *client, const struct tgc_inbox_item *item)
{
	uint8_t code[2] = {(uint8_t)(item->code >> 8), (uint8_t)item->code};
	if (tgc_link_send(&client->link, WSFRAME_CLOSE, (struct slice){(const char *)code, sizeof code}) == OK)
		tgc_link_flush(&client->link);
	tgc_lose(client, item->code == 1009, item->code, item->why, 0);
}

void tgc_dispatch(struct tgc_client *client, uint64_t now_ms)
{
	uint64_t connection = client->connection;
	while (client->connection == connection) {
		struct tgc_inbox_item item = tgc_inbox_next(&client->link.inbox);
		switch (item.kind) {
		case TGC_INBOX_MORE:
			return;
		case TGC_INBOX_MESSAGE:
			take_message(client, &item, now_ms);
			break;
		case TGC_INBOX_PING:
			if (tgc_link_send(&client->link, WSFRAME_PONG, item.payload) == ERR_LIMIT)
				tgc_lose(client, false, 0, "the node reads nothing: too much waits to be sent", 0);
			break;
		case TGC_INBOX_PONG:
			break;
		case TGC_INBOX_CLOSE:
			take_close(client, &item);
			break;
		case TGC_INBOX_BAD:
			take_bad(client, &item);
			break;
		}
	}
}
