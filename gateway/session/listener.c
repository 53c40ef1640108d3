#include "gateway/session/listener.h"

#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* Everything up to the head was decided over for this client, and it was sent what it wanted of that. */
static bool is_at_head(const struct subscription *subscription)
{
	return subscription->state == SUBSCRIPTION_LIVE && !subscription->dropped && !subscription->cohort->pending_count;
}

static void tell_cursor(struct subscription *subscription)
{
	struct session *session = subscription->session;
	struct exchange *exchange = session->exchange;
	struct record_id head = exchange->log_head;
	uint64_t epoch = exchange->feed.log.epoch;
	if (!epoch || !is_at_head(subscription) || record_id_compare(subscription->cursor_told, head) == 0)
		return;
	char text[CURSOR_TEXT];
	struct buf *out = &exchange->message;
	buf_clear(out);
	session->front->cursor(out, (struct slice){text, cursor_write(text, head, epoch)});
	if (buf_has_failed(out))
		return;
	session_write(session, buf_slice(out));
	subscription->cursor_told = head;
}

static void speak(struct session *session)
{
	uint8_t frame[FRONT_HEADROOM];
	size_t len = session->front->ping(frame);
	session_write(session, (struct slice){(const char *)frame, len});
	LIST_FOREACH(&session->subscriptions, at, following) {
		if (session_is_clear(session))
			tell_cursor(LIST_ENTRY(at, struct subscription, in_session));
	}
}

/* While something waits for it there is nothing to be said: that it is taken shows as much. */
void listener_beat(struct session *session, uint64_t now_ns)
{
	const struct port_ops *ops = session->port->ops;
	struct heartbeat *heartbeat = &session->heartbeat;
	struct heartbeats *heartbeats = &session->exchange->heartbeats;
	struct port_delivery delivery = ops->delivery ? ops->delivery(session->port) : (struct port_delivery){0};
	bool is_silent = delivery.has_unacked && delivery.acked_bytes == heartbeat->acked_bytes;
	if (is_silent && heartbeat->is_pinged) {
		session_close(session, CLOSE_STALE);
		return;
	}
	heartbeat->acked_bytes = delivery.acked_bytes;
	if (is_silent)
		heartbeat_pinged(heartbeats, heartbeat, now_ns);
	else
		heartbeat_rest(heartbeats, heartbeat, now_ns);
	if (session_is_clear(session))
		speak(session);
}
