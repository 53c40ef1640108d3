#include "gateway/session/session.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/errand.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/frame.h"
#include "gateway/session/presence.h"
#include "gateway/session/replay.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/telling.h"
#include "gateway/session/writers.h"

/* A session over its rate of events goes on when this part of a second's worth has come in: some at once instead of each alone. */
#define PACE_PARTS 20

static _Atomic uint64_t ids = 1;

static void resume_all(struct session *session)
{
	session->owes_gaps = false;
	LIST_FOREACH(&session->subscriptions, at, following)
		subscription_resume(LIST_ENTRY(at, struct subscription, in_session));
}

static void on_paced(struct alarm *pace)
{
	struct session *session = LIST_ENTRY(pace, struct session, pace);
	writers_wake(session);
	if (session->state == SESSION_OPEN && session->owes_gaps && session_is_clear(session))
		resume_all(session);
}

/* Until a part of a second's worth is there. */
static uint64_t wait_for_part(const struct bucket *bucket, uint64_t now_ns)
{
	uint64_t part = bucket->burst / PACE_PARTS;
	return bucket_wait_ms(bucket, part ? part : 1, now_ns);
}

/* Who is over both is woken by the one, and waits for the other then. */
void session_pace(struct session *session)
{
	uint64_t now_ns = clock_mono_ns();
	bool is_over = bucket_wait_ms(&session->events, 1, now_ns) > 0;
	uint64_t wait_ms = wait_for_part(is_over ? &session->events : &session->past_events, now_ns);
	alarm_set(&session->exchange->alarms, &session->pace, now_ns + wait_ms * NS_PER_MS);
}

static void welcome(struct session *session)
{
	const struct exchange_settings *settings = &session->exchange->settings;
	struct telling welcome = telling_begin(session, "welcome");
	char client[24];
	snprintf(client, sizeof client, "%llu", (unsigned long long)session->id);
	telling_put_text(&welcome, "node", settings->node);
	telling_put_text(&welcome, "client", client);
	telling_put_text(&welcome, "version", settings->version);
	telling_put(&welcome, "heartbeatMs", value_uint(welcome.arena, settings->heartbeat_ns / NS_PER_MS));
	telling_put(&welcome, "auth", value_bool(welcome.arena, session->bearer.grants != NULL));
	telling_put(&welcome, "limits", allowance_write(welcome.arena, &session->allowance, settings));
	telling_send(&welcome);
}

/* Who comes while Redis is away is told what the others were. An event stream has not begun yet. */
static void tell_redis_down(struct session *session)
{
	if (!session->exchange->is_redis_down || session->front->is_one_way)
		return;
	struct telling notice = telling_begin_notice(session, "redisDown");
	telling_send(&notice);
}

struct session *session_open(struct exchange *exchange, const struct front *front, struct port *port, struct grants *grants)
{
	struct session *session = calloc(1, sizeof *session);
	if (!session)
		return NULL;
	uint64_t now_ns = clock_mono_ns();
	session->exchange = exchange;
	session->front = front;
	session->port = port;
	session->id = atomic_fetch_add(&ids, 1);
	session->cause = CLOSE_PEER;
	list_init(&session->subscriptions);
	list_init(&session->errands);
	list_init(&session->replays);
	list_init(&session->states);
	list_init(&session->in_drain);
	list_init(&session->writers);
	list_init(&session->in_writing);
	alarm_init(&session->pace, on_paced);
	outbox_init(&session->outbox);
	session_allow(session, grants);
	list_init(&session->heartbeat.link);
	heartbeat_rest(&exchange->heartbeats, &session->heartbeat, now_ns);
	list_init(&session->in_exchange);
	list_append(&exchange->sessions, &session->in_exchange);
	exchange->session_count++;
	metric_gauge_add(METRIC_CONNECTIONS, 1);
	bearer_open(&session->bearer, exchange, &session_bearer_ops, grants, session->id);
	welcome(session);
	tell_redis_down(session);
	presence_connected(session);
	return session;
}

void session_closed(struct session *session)
{
	struct exchange *exchange = session->exchange;
	session->state = SESSION_CLOSING;
	errands_cancel(session);
	replays_close(session);
	LIST_FOREACH(&session->subscriptions, at, following)
		subscription_close(LIST_ENTRY(at, struct subscription, in_session));
	writers_forget(session);
	presence_disconnected(session);
	bearer_close(&session->bearer);
	outbox_fini(&session->outbox);
	heartbeat_stop(&session->heartbeat);
	list_remove(&session->in_drain);
	list_remove(&session->in_exchange);
	exchange->session_count--;
	metric_gauge_add(METRIC_CONNECTIONS, -1);
	free(session);
}

void session_close(struct session *session, enum close_cause cause)
{
	if (session->state != SESSION_OPEN)
		return;
	session->state = SESSION_CLOSING;
	session->cause = cause;
	errands_cancel(session);
	heartbeat_stop(&session->heartbeat);
	bearer_rest(&session->bearer);
	list_remove(&session->in_drain);
	session->port->ops->close(session->port, close_code(cause), close_reason(cause));
}

bool session_is_clear(const struct session *session)
{
	return outbox_is_empty(&session->outbox) && session->port->ops->is_clear(session->port);
}

void session_write(struct session *session, struct slice frames)
{
	if (session->state != SESSION_OPEN)
		return;
	if (session->port->ops->send(session->port, frames) == PORT_BUFFERED) {
		session->held_bytes = frames.len;
		session->held_since_ns = clock_mono_ns();
	}
	metric_add(METRIC_BYTES_OUT, frames.len);
}

struct slice session_frame(struct exchange *exchange, const struct front *front, const struct value *message)
{
	struct buf *out = &exchange->message;
	buf_clear(out);
	if (!message || !buf_extend(out, FRONT_HEADROOM))
		return SLICE_NONE;
	front->codec->encode(out, message);
	if (buf_has_failed(out))
		return SLICE_NONE;
	return frame_finish(exchange, front, out->bytes + FRONT_HEADROOM, out->len - FRONT_HEADROOM);
}

/* Lets a control frame wait behind the rest. A client that never reads its replies is closed. */
static void send_later(struct session *session, struct blob *frame)
{
	if (!frame || outbox_push(&session->outbox, frame, NULL, 0) != OK)
		session_close(session, CLOSE_INTERNAL);
	else if (session->outbox.control_bytes > SESSION_CONTROL_BYTES_MAX)
		session_close(session, CLOSE_TOO_SLOW);
}

static bool is_for_asker(const struct value *message)
{
	const struct value *op = value_get(message, "op");
	return message && (!op || slice_is(op->text, "welcome"));
}

void session_send(struct session *session, const struct value *message)
{
	if (session->state != SESSION_OPEN)
		return;
	if (session->port->ops->answered && is_for_asker(message)) {
		session->port->ops->answered(session->port, message);
		return;
	}
	struct slice frame = session_frame(session->exchange, session->front, message);
	if (!frame.len) {
		session_close(session, CLOSE_INTERNAL);
	} else if (session_is_clear(session)) {
		session_write(session, frame);
	} else {
		struct blob *blob = blob_new(frame.ptr, frame.len);
		send_later(session, blob);
		blob_unref(blob);
	}
}

void session_send_frame(struct session *session, struct blob *frame)
{
	if (session->state != SESSION_OPEN)
		return;
	if (session_is_clear(session))
		session_write(session, (struct slice){(const char *)frame->bytes, frame->len});
	else
		send_later(session, frame);
}

/* Sends the parcel, or the gap that stands in front of it. */
static void send_parcel(struct session *session, struct parcel *parcel)
{
	if (parcel->subscription && parcel->subscription->dropped && parcel->subscription->state == SUBSCRIPTION_LIVE) {
		struct telling gap = subscription_take_gap(parcel->subscription, parcel->first);
		telling_write(&gap);
		return;
	}
	session_write(session, (struct slice){(const char *)parcel->frame->bytes, parcel->frame->len});
	metric_add(METRIC_EVENTS_OUT, parcel->events);
	outbox_drop(&session->outbox, parcel);
}

void session_writable(struct session *session)
{
	session->heartbeat.is_alive = true;
	struct parcel *parcel;
	while (session->state == SESSION_OPEN && (parcel = outbox_first(&session->outbox)) &&
	       session->port->ops->is_clear(session->port))
		send_parcel(session, parcel);
	if (session->state == SESSION_OPEN && session->owes_gaps && session_is_clear(session))
		resume_all(session);
	writers_wake(session);
}

void session_pong(struct session *session)
{
	session->heartbeat.is_alive = true;
}

/* Takes a request from the buckets. False: it is over the rate and answered, or the session is closed. */
static bool admit_command(struct session *session, const struct value *request)
{
	uint64_t now_ns = clock_mono_ns();
	if (bucket_take(&session->commands, 1, now_ns))
		return true;
	metric_add(METRIC_RATE_LIMITED, 1);
	if (!bucket_take(&session->excess, 1, now_ns))
		session_close(session, CLOSE_COMMAND_FLOOD);
	else
		request_refuse(session, value_get(request, "id"), "rate_limited", "too many requests in a second",
			       bucket_wait_ms(&session->commands, 1, now_ns));
	return false;
}

static void refuse_message(struct session *session, const char *why)
{
	metric_add(METRIC_COMMAND_ERRORS, 1);
	if (++session->bad_messages > SESSION_BAD_MESSAGES_MAX) {
		session_close(session, CLOSE_NOT_JSON);
		return;
	}
	struct arena *arena = &session->exchange->arena;
	request_refuse(session, value_null(arena), "bad_message", why, 0);
}

void session_message(struct session *session, struct slice message)
{
	if (session->state != SESSION_OPEN)
		return;
	struct arena *arena = &session->exchange->arena;
	arena_reset(arena);
	session->heartbeat.is_alive = true;
	metric_add(METRIC_COMMANDS, 1);
	struct value *request;
	char why[128];
	enum err error = session->front->codec->decode(arena, message, &request, why);
	bool is_request = error == OK && request->kind == VALUE_MAP;
	if (error == ERR_NOMEM)
		snprintf(why, sizeof why, "the message needs too much memory");
	else if (error == OK && !is_request)
		snprintf(why, sizeof why, "a request is an object, this is a %s", value_kind_name(request->kind));
	if (!admit_command(session, is_request ? request : NULL))
		return;
	if (!is_request) {
		refuse_message(session, why);
		return;
	}
	session->bad_messages = 0;
	request_answer(session, message, request);
}

struct subscription *session_find(const struct session *session, struct slice key)
{
	LIST_FOREACH(&session->subscriptions, at, following) {
		struct subscription *subscription = LIST_ENTRY(at, struct subscription, in_session);
		if (slice_is(key, subscription->cohort->key))
			return subscription;
	}
	return NULL;
}

struct subscription *session_find_alike(const struct session *session, const struct filter *filter, bool has_deltas)
{
	LIST_FOREACH(&session->subscriptions, at, following) {
		struct subscription *subscription = LIST_ENTRY(at, struct subscription, in_session);
		const struct cohort *cohort = subscription->cohort;
		if ((cohort->chain != NULL) == has_deltas && slice_equal(filter_canonical(cohort->filter), filter_canonical(filter)))
			return subscription;
	}
	return NULL;
}

uint64_t session_id(const struct session *session)
{
	return session->id;
}

enum close_cause session_cause(const struct session *session)
{
	return session->cause;
}
