/* Events that come as what changed on their channel, made whole. One that cannot be is asked for again: where the subscription has
 * a cursor it is asked for anew from there, on the same connection, so that nothing is lost and nothing comes twice; events
 * without ids cannot be had again: then the node is asked to send full ones, and each that is lost is told by a gap. */
#include "common/client/elements.h"
#include "common/client/tgclient_inside.h"
#include "common/codec/fossil_delta.h"
#include "common/codec/json.h"

void tgc_stop_behind(struct tgc_sub *sub, struct tgc_text id, struct slice cursor)
{
	/* What of a cursor stands behind its id says of which log it is. */
	const char *dot = cursor.len && cursor.len <= TGC_CURSOR_MAX ? memchr(cursor.ptr, '.', cursor.len) : NULL;
	if (!id.len || id.len > TGC_CURSOR_MAX)
		return;
	buf_clear(&sub->cursor);
	buf_append(&sub->cursor, id.ptr, id.len);
	if (dot)
		buf_append(&sub->cursor, dot, cursor.len - (size_t)(dot - cursor.ptr));
}

static bool unescape(struct slice inside, struct buf *out)
{
	buf_clear(out);
	char *text = inside.len ? buf_extend(out, inside.len) : NULL;
	if (!text)
		return inside.len == 0;
	out->len = json_unescape(inside, text);
	return true;
}

/* The text that was published, from what came of it. False: it cannot be had. */
static bool make_text(struct tgc_client *client, const struct tgc_sub *sub, const struct tgc_event *event,
		      const struct tgc_change *change, struct buf *ret_text)
{
	struct slice base;
	if (change->is_full)
		return unescape(change->full, ret_text);
	return tgc_texts_get(&sub->texts, tgc_slice_of(event->channel), &base) && unescape(change->delta, &client->delta) &&
	       fossil_apply(base, buf_slice(&client->delta), client->link.inbox.limit, ret_text) == OK;
}

/* The event as one that did not come as a change. False: no memory. */
static bool show_whole(struct tgc_client *client, struct slice text, struct tgc_event *event)
{
	struct buf *out = &client->element;
	size_t at;
	buf_clear(out);
	buf_append_char(out, '{');
	if (event->id.len) {
		buf_append_text(out, "\"id\":\"");
		buf_append(out, event->id.ptr, event->id.len);
		buf_append_text(out, "\",");
	}
	buf_append_text(out, "\"channel\":");
	json_append_string(out, tgc_slice_of(event->channel));
	buf_append_text(out, ",\"ts\":");
	buf_append_u64(out, event->ts_ms);
	buf_append_text(out, ",\"data\":");
	at = out->len;
	buf_append_slice(out, text);
	buf_append_char(out, '}');
	event->data = (struct tgc_text){out->bytes + at, text.len};
	event->element = (struct tgc_text){out->bytes, out->len};
	return !buf_has_failed(out);
}

static void ask_resync(struct tgc_client *client, struct tgc_sub *sub)
{
	buf_clear(&client->text);
	buf_append_text(&client->text, "{\"op\":\"resync\",\"sub\":\"");
	buf_append_slice(&client->text, buf_slice(&sub->key));
	buf_append_text(&client->text, "\"}");
	sub->asked_resync = tgc_send_text(client, buf_slice(&client->text)) == TGC_OK;
}

/* An event behind that one cannot be made whole. False: the subscription is asked for anew, or the connection has ended. */
static bool lose(struct tgc_client *client, struct tgc_sub *sub, struct tgc_text behind, bool has_id)
{
	const struct slice reason = SLICE_LITERAL("delta");
	const struct tgc_gap gap = {.sub = sub->sub, .after = behind, .dropped = 1, .reason = tgc_text_of(reason)};
	uint64_t connection = client->connection;
	tgc_texts_clear(&sub->texts);
	if (has_id && sub->cursor.len && !tgc_subscription_is_shared(client, sub)) {
		sub->state = TGC_SUB_WANTED;
		client->has_work = true;
		return false;
	}
	if (!sub->asked_resync)
		ask_resync(client, sub);
	if (client->handlers.on_gap)
		client->handlers.on_gap(client, client->handlers.context, &gap);
	return client->connection == connection;
}

/* False: it cannot be made whole. */
static bool complete(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_change *change, struct tgc_event *event)
{
	struct buf text;
	buf_init(&text);
	bool is_whole = make_text(client, sub, event, change, &text) && show_whole(client, buf_slice(&text), event);
	if (is_whole)
		tgc_texts_put(&sub->texts, tgc_slice_of(event->channel), &text);
	if (is_whole && change->is_full)
		sub->asked_resync = false;
	buf_fini(&text);
	return is_whole;
}

bool tgc_next_change(struct tgc_client *client, struct tgc_sub *sub, const struct tgc_message *message, struct tgc_text *events,
		     struct tgc_event *ret_event)
{
	struct slice rest = tgc_slice_of(*events), element;
	struct tgc_text last = ret_event->id;
	bool is_event = false;
	while (!is_event && !sub->is_dropped && tgc_elements_next(&rest, &element)) {
		struct tgc_change change;
		*ret_event = (struct tgc_event){.sub = 0};
		if (!tgc_change_read(element, &client->channel, ret_event, &change))
			continue;
		is_event = !(change.is_full || change.is_delta) || complete(client, sub, &change, ret_event);
		if (is_event)
			break;
		if (ret_event->id.len)
			tgc_stop_behind(sub, last, message->cursor);
		if (!lose(client, sub, last, ret_event->id.len > 0))
			return false;
	}
	*events = tgc_text_of(rest);
	return is_event;
}
