#include "gateway/session/exchange.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/codec/deflate.h"
#include "common/data/blob.h"
#include "gateway/feed/ring.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/listener.h"
#include "gateway/session/position.h"
#include "gateway/session/request_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/telling.h"
#include "gateway/session/writers.h"

/* A request's tree takes up to about 50 times its text ("[0,0,0]"). */
#define ARENA_TIMES_MESSAGE 64
#define ARENA_LEAST_BYTES ((size_t)256 * 1024)

struct exchange *exchange_new(const struct exchange_settings *settings)
{
	struct exchange *exchange = calloc(1, sizeof *exchange);
	if (!exchange)
		return NULL;
	exchange->settings = *settings;
	exchange->index = index_new();
	exchange->ring = ring_new(settings->ring_records_max, settings->ring_bytes_max);
	if (!exchange->index || !exchange->ring) {
		ring_free(exchange->ring);
		index_free(exchange->index);
		free(exchange);
		return NULL;
	}
	list_init(&exchange->sessions);
	list_init(&exchange->dirty);
	exchange->flush_ns = UINT64_MAX;
	list_init(&exchange->draining);
	list_init(&exchange->writing);
	list_init(&exchange->catchups);
	list_init(&exchange->ahead);
	list_init(&exchange->replays);
	alarms_init(&exchange->alarms);
	list_init(&exchange->bearers);
	table_init(&exchange->cohorts);
	table_init(&exchange->askers);
	list_init(&exchange->publishes);
	heartbeats_init(&exchange->heartbeats, settings->heartbeat_ns);
	arena_init(&exchange->arena, ARENA_LEAST_BYTES + ARENA_TIMES_MESSAGE * settings->message_bytes_max);
	buf_init(&exchange->message);
	buf_init(&exchange->head);
	buf_init(&exchange->packed);
	buf_init(&exchange->piece);
	buf_init(&exchange->full);
	delta_store_init(&exchange->deltas, settings->delta_bytes_max);
	random_init(&exchange->random);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	for (size_t i = 0; i < exchange->spare_count; i++)
		buf_fini(&exchange->spare[i]);
	index_free(exchange->index);
	table_fini(&exchange->cohorts);
	publishes_forget(exchange);
	table_fini(&exchange->askers);
	arena_fini(&exchange->arena);
	buf_fini(&exchange->message);
	buf_fini(&exchange->head);
	buf_fini(&exchange->packed);
	deflater_free(exchange->deflater);
	buf_fini(&exchange->piece);
	buf_fini(&exchange->full);
	delta_store_fini(&exchange->deltas);
	metric_gauge_add(METRIC_RING_EVENTS, -(int64_t)exchange->ring_count);
	ring_free(exchange->ring);
	free(exchange);
}

static void on_hit(void *owner, const struct record *record, void *context)
{
	(void)context;
	cohort_add(owner, record);
}

void exchange_deliver(struct exchange *exchange, const struct record_batch *batch)
{
	if (batch->is_recorded)
		position_take(exchange, batch);
	else
		exchange->unrecorded_count += batch->count;
	for (size_t i = 0; i < batch->count; i++) {
		struct record *record = batch->records[i];
		if (!position_is_new(exchange, record))
			continue;
		if (!record->is_repeat)
			index_match(exchange->index, record, on_hit, NULL);
		if (batch->is_recorded)
			exchange->log_head = record->id;
	}
	catchups_head_moved(exchange);
}

void exchange_notice(struct exchange *exchange, enum exchange_notice what)
{
	exchange->is_redis_down = what == NOTICE_REDIS_DOWN;
	static const char *const codes[] = {[NOTICE_REDIS_DOWN] = "redisDown", [NOTICE_REDIS_UP] = "redisUp"};
	LIST_FOREACH(&exchange->sessions, at, following) {
		struct telling notice = telling_begin_notice(LIST_ENTRY(at, struct session, in_exchange), codes[what]);
		telling_send(&notice);
	}
}

/* Each session has a slot of the spread and a random moment in it, so that they neither leave nor return together. */
void exchange_drain(struct exchange *exchange, uint64_t spread_ns)
{
	if (exchange->is_draining)
		return;
	exchange->is_draining = true;
	uint64_t now_ns = clock_mono_ns();
	uint64_t slot_ns = exchange->session_count ? spread_ns / exchange->session_count : 0;
	uint64_t slot = 0;
	LIST_FOREACH(&exchange->sessions, at, following) {
		struct session *session = LIST_ENTRY(at, struct session, in_exchange);
		if (session->state != SESSION_OPEN)
			continue;
		uint64_t wait_ns = slot++ * slot_ns + random_below(&exchange->random, slot_ns);
		session->drain_ns = now_ns + wait_ns;
		list_append(&exchange->draining, &session->in_drain);
		struct telling notice = telling_begin_notice(session, "draining");
		telling_put(&notice, "reconnectInMs", value_uint(notice.arena, wait_ns / NS_PER_MS));
		telling_send(&notice);
	}
}

void exchange_set_alarm(struct exchange *exchange, struct alarm *alarm, uint64_t wait_ns)
{
	alarm_set(&exchange->alarms, alarm, clock_mono_ns() + wait_ns);
}

/* Most turns have nothing to write: they do not look at the cohorts that rest. */
static void flush_due(struct exchange *exchange, uint64_t now_ns)
{
	if (exchange->flush_ns > now_ns)
		return;
	uint64_t next = UINT64_MAX;
	LIST_FOREACH(&exchange->dirty, at, following) {
		struct cohort *cohort = LIST_ENTRY(at, struct cohort, dirty);
		uint64_t due_ns = cohort_due_ns(cohort);
		if (due_ns <= now_ns)
			cohort_flush(cohort);
		else if (due_ns < next)
			next = due_ns;
	}
	exchange->flush_ns = next;
}

/* Sends the ping ahead of all that waits. */
static void ping(struct session *session)
{
	uint8_t frame[FRONT_HEADROOM];
	size_t len = session->front->ping(frame);
	if (len == 0)
		return;
	if (session_is_clear(session)) {
		session_write(session, (struct slice){(const char *)frame, len});
		return;
	}
	struct blob *blob = blob_new(frame, len);
	if (!blob || outbox_push_first(&session->outbox, blob) != OK)
		session_close(session, CLOSE_INTERNAL);
	blob_unref(blob);
}

static struct port_delivery delivery_of(const struct session *session)
{
	const struct port_ops *ops = session->port->ops;
	return ops->delivery ? ops->delivery(session->port) : (struct port_delivery){0};
}

/* A peer that still takes what was sent before the ping cannot have seen the ping yet: slow, not gone. */
static bool is_still_taking(const struct session *session)
{
	struct port_delivery delivery = delivery_of(session);
	return delivery.has_unacked && delivery.acked_bytes > session->heartbeat.acked_bytes;
}

static void beat(struct exchange *exchange, struct session *session, uint64_t now_ns)
{
	struct heartbeat *heartbeat = &session->heartbeat;
	if (session->front->is_one_way) {
		listener_beat(session, now_ns);
	} else if (heartbeat->is_pinged && heartbeat->is_alive) {
		heartbeat_rest(&exchange->heartbeats, heartbeat, now_ns);
	} else if (!heartbeat->is_pinged) {
		heartbeat_pinged(&exchange->heartbeats, heartbeat, now_ns);
		heartbeat->acked_bytes = delivery_of(session).acked_bytes;
		ping(session);
	} else if (is_still_taking(session)) {
		heartbeat->acked_bytes = delivery_of(session).acked_bytes;
		heartbeat_pinged(&exchange->heartbeats, heartbeat, now_ns);
	} else {
		session_close(session, CLOSE_STALE);
	}
}

static void run_timers(struct exchange *exchange, uint64_t now_ns)
{
	struct heartbeat *due;
	while ((due = heartbeats_due(&exchange->heartbeats, now_ns)))
		beat(exchange, LIST_ENTRY(due, struct session, heartbeat), now_ns);
	LIST_FOREACH(&exchange->draining, at, following) {
		struct session *session = LIST_ENTRY(at, struct session, in_drain);
		if (session->drain_ns > now_ns)
			break;
		session_close(session, CLOSE_DRAINING);
	}
}

static uint64_t next_ns(const struct exchange *exchange)
{
	uint64_t next = heartbeats_next_ns(&exchange->heartbeats);
	uint64_t alarm_ns = alarms_next_ns(&exchange->alarms);
	next = alarm_ns < next ? alarm_ns : next;
	if (!list_is_empty(&exchange->dirty) && exchange->flush_ns < next)
		next = exchange->flush_ns;
	if (!list_is_empty(&exchange->draining)) {
		uint64_t drain_ns = LIST_ENTRY(exchange->draining.next, struct session, in_drain)->drain_ns;
		next = drain_ns < next ? drain_ns : next;
	}
	return next;
}

uint64_t exchange_end_turn(struct exchange *exchange)
{
	uint64_t now_ns = clock_mono_ns();
	flush_due(exchange, now_ns);
	run_timers(exchange, now_ns);
	alarms_run(&exchange->alarms, now_ns);
	bool has_more = writers_run(exchange);
	arena_reset(&exchange->arena);
	return has_more ? now_ns : next_ns(exchange);
}

size_t exchange_session_count(const struct exchange *exchange)
{
	return exchange->session_count;
}
