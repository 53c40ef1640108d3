#include "gateway/session/position.h"

#include "gateway/feed/ring.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/replay.h"
#include "gateway/session/session_inside.h"

static void count_ring(struct exchange *exchange)
{
	size_t count = ring_count(exchange->ring);
	metric_gauge_add(METRIC_RING_EVENTS, (int64_t)count - (int64_t)exchange->ring_count);
	exchange->ring_count = count;
}

/* What is pending goes with the cursor that there was until now. */
static void flush_all(struct exchange *exchange)
{
	LIST_FOREACH(&exchange->dirty, at, following)
		cohort_flush(LIST_ENTRY(at, struct cohort, dirty));
}

typedef void subscription_visit(struct subscription *subscription, struct record_id id);

static void visit_live(struct exchange *exchange, subscription_visit *visit, struct record_id id)
{
	LIST_FOREACH(&exchange->sessions, at, following) {
		struct session *session = LIST_ENTRY(at, struct session, in_exchange);
		LIST_FOREACH(&session->subscriptions, of, behind) {
			struct subscription *subscription = LIST_ENTRY(of, struct subscription, in_session);
			if (subscription->state != SUBSCRIPTION_CATCHUP)
				visit(subscription, id);
		}
	}
}

/* What this worker missed may still be in the log: who catches up looks there, and is told if it is not. */
static void pass_hole(struct subscription *subscription, struct record_id before)
{
	struct record_id after = subscription->session->exchange->log_head;
	if (subscription->session->state != SESSION_OPEN)
		return;
	if (subscription->policy == SLOW_CATCHUP)
		catchup_fall_behind(subscription, after);
	else
		subscription_tell_gap(subscription, after, before, 0, "trimmed");
}

static void tell_unrecorded(struct subscription *subscription, struct record_id none)
{
	(void)none;
	subscription_tell_unrecorded(subscription);
}

/* Who went live after an event came without its id has not had it: reads it now that it is in the log. */
static void read_repeats(struct subscription *subscription, struct record_id after)
{
	const struct exchange *exchange = subscription->session->exchange;
	if (subscription->unseen > exchange->repeat_count && subscription->session->state == SESSION_OPEN)
		catchup_fall_behind(subscription, after);
}

static void take_repeats(struct exchange *exchange, const struct record_batch *batch)
{
	size_t count = 0;
	for (size_t i = 0; i < batch->count; i++)
		count += batch->records[i]->is_repeat && position_is_new(exchange, batch->records[i]);
	if (count && exchange->newest_live > exchange->repeat_count) {
		flush_all(exchange);
		visit_live(exchange, read_repeats, exchange->log_head);
	}
	exchange->repeat_count += count;
}

void position_take(struct exchange *exchange, const struct record_batch *batch)
{
	if (batch->count && record_id_compare(batch->after, exchange->log_head) > 0) {
		flush_all(exchange);
		if (exchange->feed.log.epoch)
			visit_live(exchange, pass_hole, batch->records[0]->id);
		exchange->log_head = batch->after;
	}
	take_repeats(exchange, batch);
	ring_push(exchange->ring, batch);
	count_ring(exchange);
}

bool position_is_new(const struct exchange *exchange, const struct record *record)
{
	return record_id_is_zero(record->id) || record_id_compare(record->id, exchange->log_head) > 0;
}

/* What the former log had at its end, and other nodes gave to their clients, may be missing here, or come again under other ids. */
static void tell_replaced(struct subscription *subscription, struct record_id after)
{
	if (subscription->session->state == SESSION_OPEN)
		subscription_tell_gap(subscription, after, (struct record_id){0}, 0, "reset");
}

static void replace_log(struct exchange *exchange, const struct log_position *log, bool had_one)
{
	if (had_one)
		visit_live(exchange, tell_replaced, exchange->log_head);
	exchange->feed.log = *log;
	exchange->log_head = log->last;
	ring_reset(exchange->ring, log->last);
	count_ring(exchange);
	if (!had_one)
		return;
	catchups_log_replaced(exchange, log->base);
	replays_log_replaced(exchange, log->base);
}

void exchange_feed_state(struct exchange *exchange, const struct feed_state *state)
{
	struct feed_state former = exchange->feed;
	bool is_other = state->log.epoch && state->log.epoch != former.log.epoch;
	if (is_other || state->is_recorded != former.is_recorded)
		flush_all(exchange);
	exchange->feed = *state;
	if (is_other)
		replace_log(exchange, &state->log, former.log.epoch != 0);
	else
		exchange->feed.log = former.log;
	if (former.is_recorded && !state->is_recorded) {
		exchange->unrecorded_phase++;
		visit_live(exchange, tell_unrecorded, (struct record_id){0});
	}
	catchups_head_moved(exchange);
}
