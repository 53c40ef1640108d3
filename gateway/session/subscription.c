#include "gateway/session/subscription.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/catchup.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* A conflated batch has at most this many events; more of them make more batches. */
#define CONFLATED_BATCH_MAX 256

struct subscription *subscription_open(struct session *session, struct filter *filter, enum slow_policy policy, bool has_deltas)
{
	struct subscription *subscription = calloc(1, sizeof *subscription);
	if (!subscription)
		return NULL;
	subscription->cohort = cohort_find(session->exchange, filter, session->front, has_deltas);
	if (!subscription->cohort) {
		free(subscription);
		return NULL;
	}
	subscription->session = session;
	list_init(&subscription->in_cohort);
	list_init(&subscription->in_session);
	cohort_enter(subscription->cohort);
	subscription->phase_told = session->exchange->unrecorded_phase;
	subscription->cursor_told = session->exchange->log_head;
	list_append(&session->subscriptions, &subscription->in_session);
	session->subscription_count++;
	subscription_set_policy(subscription, policy);
	metric_gauge_add(METRIC_SUBSCRIPTIONS, 1);
	return subscription;
}

static void set_state(struct subscription *subscription, enum subscription_state state)
{
	static const struct {
		bool is_counted;
		enum metric gauge;
	} gauges[] = {
		[SUBSCRIPTION_LAGGING] = {true, METRIC_LAGGING},
		[SUBSCRIPTION_CATCHUP] = {true, METRIC_CATCHING_UP},
	};
	if (subscription->state == state)
		return;
	if (gauges[subscription->state].is_counted)
		metric_gauge_add(gauges[subscription->state].gauge, -1);
	if (gauges[state].is_counted)
		metric_gauge_add(gauges[state].gauge, 1);
	subscription->state = state;
	if (state == SUBSCRIPTION_LAGGING)
		subscription->session->owes_gaps = true;
}

void subscription_go_live(struct subscription *subscription)
{
	struct exchange *exchange = subscription->session->exchange;
	subscription->unseen = exchange->newest_live = exchange->unrecorded_count;
	set_state(subscription, SUBSCRIPTION_LIVE);
	cohort_part(subscription->cohort, subscription);
	cohort_join(subscription->cohort, subscription);
}

/* What a conflation keeps is in the log too, from where it reads on. */
void subscription_go_behind(struct subscription *subscription)
{
	set_state(subscription, SUBSCRIPTION_CATCHUP);
	cohort_part(subscription->cohort, subscription);
	conflation_free(subscription->conflation);
	subscription->conflation = NULL;
}

struct record_id subscription_place(const struct subscription *subscription)
{
	return subscription->catchup ? catchup_place(subscription->catchup) : subscription->session->exchange->log_head;
}

/* What a conflation kept was decided by the former filter: it counts as missed, and a gap tells it. */
static void lose_conflated(struct subscription *subscription)
{
	if (!subscription->conflation)
		return;
	subscription_lose(subscription, conflation_count(subscription->conflation), (struct record_id){0}, METRIC_DROPPED_CONFLATED);
	conflation_free(subscription->conflation);
	subscription->conflation = NULL;
}

void subscription_renarrow(struct subscription *subscription, struct filter *filter)
{
	struct cohort *former = subscription->cohort;
	struct cohort *cohort = cohort_find(subscription->session->exchange, filter, subscription->session->front, subscription->cohort->chain != NULL);
	if (!cohort) {
		session_close(subscription->session, CLOSE_INTERNAL);
		return;
	}
	cohort_flush(former); /* up to here the former filter holds; it may fall behind by that */
	cohort_enter(cohort);
	cohort_part(former, subscription);
	former->keeping_count -= subscription->keeps_records;
	cohort->keeping_count += subscription->keeps_records;
	subscription->cohort = cohort;
	lose_conflated(subscription);
	if (subscription->catchup)
		catchup_change_cohort(subscription->catchup, former);
	else
		cohort_join(cohort, subscription);
	cohort_leave(former);
}

void subscription_close(struct subscription *subscription)
{
	while (outbox_drop_oldest(&subscription->session->outbox, subscription))
		continue;
	catchup_stop(subscription);
	set_state(subscription, SUBSCRIPTION_LIVE);
	subscription_set_policy(subscription, SLOW_DISCONNECT);
	conflation_free(subscription->conflation);
	list_remove(&subscription->in_session);
	subscription->session->subscription_count--;
	cohort_part(subscription->cohort, subscription);
	cohort_leave(subscription->cohort);
	free(subscription);
	metric_gauge_add(METRIC_SUBSCRIPTIONS, -1);
}

/* Whether single records of a batch may be wanted: the newest of each key, or the part that the rate allows. */
static bool wants_records(const struct subscription *subscription, enum slow_policy policy)
{
	bool has_rate = subscription->session->allowance.limit[LIMIT_EVENTS_PER_SECOND] != 0;
	return policy == SLOW_CONFLATE || (has_rate && policy != SLOW_DISCONNECT);
}

void subscription_set_policy(struct subscription *subscription, enum slow_policy policy)
{
	subscription->cohort->keeping_count -= subscription->keeps_records;
	subscription->keeps_records = wants_records(subscription, policy);
	subscription->cohort->keeping_count += subscription->keeps_records;
	if (policy != SLOW_CONFLATE)
		lose_conflated(subscription);
	subscription->policy = policy;
}

/* The client is behind and conflates: keeps the newest of each key. */
static void conflate(struct subscription *subscription, const struct batch *batch)
{
	const struct exchange_settings *settings = &subscription->session->exchange->settings;
	if (!subscription->conflation)
		subscription->conflation = conflation_new(settings->slow_threshold_bytes);
	if (!subscription->conflation || !batch->records) {
		subscription_lose(subscription, batch->count, batch->after, METRIC_DROPPED_MEMORY);
		return;
	}
	set_state(subscription, SUBSCRIPTION_LAGGING);
	cohort_forget_step(subscription->cohort, subscription);
	size_t gone = 0;
	for (size_t i = 0; i < batch->count; i++)
		gone += conflation_put(subscription->conflation, batch->records[i]);
	subscription_lose(subscription, gone, batch->after, METRIC_DROPPED_CONFLATED);
}

/* Lets the batch wait in the outbox. */
static void queue(struct subscription *subscription, struct batch *batch)
{
	struct blob *frame = batch_share(batch);
	struct outbox *outbox = &subscription->session->outbox;
	if (!frame || outbox_push(outbox, frame, subscription, batch->count) != OK) {
		subscription_lose(subscription, batch->count, batch->after, METRIC_DROPPED_MEMORY);
		return;
	}
	outbox_last(outbox)->after = batch->after;
	outbox_last(outbox)->first = batch->first;
	outbox_last(outbox)->has_deltas = batch->has_deltas;
}

static bool has_room(const struct subscription *subscription, const struct batch *batch)
{
	const struct session *session = subscription->session;
	return session->outbox.event_bytes + batch->frame.len <= session->exchange->settings.slow_threshold_bytes;
}

/* What is of no use without those that are dropped goes with them. */
static void drop_oldest(struct subscription *subscription)
{
	struct outbox *outbox = &subscription->session->outbox;
	struct parcel *parcel;
	bool has_dropped = false;
	while ((parcel = outbox_oldest(outbox, subscription)) &&
	       (!has_room(subscription, &(struct batch){0}) || (has_dropped && parcel->has_deltas))) {
		subscription_lose(subscription, parcel->events, parcel->after, METRIC_DROPPED_SLOW);
		outbox_drop(outbox, parcel);
		has_dropped = true;
	}
}

static void offer_to_slow(struct subscription *subscription, struct batch *batch)
{
	if (has_room(subscription, batch)) {
		queue(subscription, batch);
		return;
	}
	switch (subscription->policy) {
	case SLOW_DISCONNECT:
		session_close(subscription->session, CLOSE_TOO_SLOW);
		break;
	case SLOW_DROP:
		queue(subscription, batch);
		drop_oldest(subscription);
		break;
	default:
		if (batch->is_recorded) {
			catchup_fall_behind(subscription, batch->after);
			break;
		}
		set_state(subscription, SUBSCRIPTION_LAGGING);
		subscription_lose(subscription, batch->count, batch->after, METRIC_DROPPED_SLOW);
	}
}

static void write_or_queue(struct subscription *subscription, struct batch *batch)
{
	struct session *session = subscription->session;
	if (subscription->dropped && session_is_clear(session))
		subscription_send_gap(subscription, batch->first);
	if (session_is_clear(session)) {
		session_write(session, batch->frame);
		metric_add(METRIC_EVENTS_OUT, batch->count);
	} else {
		offer_to_slow(subscription, batch);
	}
}

/* Keeps the newest of the batch, as many as the rate allows. */
static void drop_over_rate(struct subscription *subscription, const struct batch *batch)
{
	struct session *session = subscription->session;
	uint64_t now_ns = clock_mono_ns();
	size_t kept = 0;
	while (batch->records && kept < batch->count && bucket_take(&session->events, 1, now_ns))
		kept++;
	size_t lost = batch->count - kept;
	subscription_lose(subscription, lost, batch->after, METRIC_DROPPED_RATE);
	if (!kept)
		return;
	struct buf out;
	buf_init(&out);
	cohort_frame_records(subscription->cohort, batch->records + lost, kept, &out);
	struct batch rest = {
		.frame = buf_slice(&out),
		.is_recorded = batch->is_recorded,
		.after = batch->after,
		.first = batch->records[lost]->id,
		.count = kept,
	};
	if (buf_has_failed(&out))
		subscription_lose(subscription, kept, batch->after, METRIC_DROPPED_MEMORY);
	else
		write_or_queue(subscription, &rest);
	blob_unref(rest.shared);
	buf_fini(&out);
}

/* A batch that the client's rate does not allow now. */
static void offer_over_rate(struct subscription *subscription, struct batch *batch)
{
	switch (subscription->policy) {
	case SLOW_DISCONNECT:
		session_close(subscription->session, CLOSE_TOO_SLOW);
		break;
	case SLOW_CONFLATE:
		conflate(subscription, batch);
		session_pace(subscription->session);
		break;
	default:
		drop_over_rate(subscription, batch);
	}
}

static bool is_within_rate(struct session *session, size_t events)
{
	return !session->allowance.limit[LIMIT_EVENTS_PER_SECOND] || bucket_take(&session->events, events, clock_mono_ns());
}

static void offer_to_live(struct subscription *subscription, struct batch *batch)
{
	struct session *session = subscription->session;
	bool is_clear = session_is_clear(session), catches_up = batch->is_recorded && subscription->policy == SLOW_CATCHUP;
	if (!is_clear && catches_up)
		catchup_fall_behind(subscription, batch->after);
	else if (!is_clear && subscription->policy == SLOW_CONFLATE)
		conflate(subscription, batch);
	else if (is_within_rate(session, batch->count))
		write_or_queue(subscription, batch);
	else if (catches_up)
		catchup_fall_behind(subscription, batch->after);
	else
		offer_over_rate(subscription, batch);
}

void subscription_miss(struct subscription *subscription, const struct batch *batch)
{
	if (batch->is_recorded && subscription->policy == SLOW_CATCHUP)
		catchup_fall_behind(subscription, batch->after);
	else
		subscription_lose(subscription, batch->count, batch->after, METRIC_DROPPED_MEMORY);
}

void subscription_offer(struct subscription *subscription, struct batch *batch)
{
	if (subscription->session->state != SESSION_OPEN)
		return;
	if (subscription->state == SUBSCRIPTION_LIVE)
		offer_to_live(subscription, batch);
	else if (subscription->policy == SLOW_CONFLATE)
		conflate(subscription, batch);
	else if (batch->is_recorded && subscription->policy == SLOW_CATCHUP)
		catchup_fall_behind(subscription, batch->after);
	else
		subscription_lose(subscription, batch->count, batch->after, METRIC_DROPPED_SLOW);
}

/* Takes the next of what the conflation kept, as many as the rate allows. */
static size_t take_conflated(struct subscription *subscription, struct record **records, size_t limit)
{
	struct bucket *bucket = &subscription->session->events;
	uint64_t now_ns = clock_mono_ns();
	size_t count = 0;
	while (count < limit && conflation_count(subscription->conflation) && bucket_take(bucket, 1, now_ns))
		records[count++] = conflation_take(subscription->conflation);
	return count;
}

/* Sends what the conflation kept. What is over the rate stays there, and the client behind. */
static void send_conflated(struct subscription *subscription)
{
	struct record *records[CONFLATED_BATCH_MAX];
	struct buf frames;
	buf_init(&frames);
	size_t count, sent = 0;
	do {
		count = take_conflated(subscription, records, CONFLATED_BATCH_MAX);
		if (count)
			cohort_frame_records(subscription->cohort, records, count, &frames);
		sent += count;
		for (size_t i = 0; i < count; i++)
			record_unref(records[i]);
	} while (count == CONFLATED_BATCH_MAX);
	struct blob *blob = !sent || buf_has_failed(&frames) ? NULL : blob_new(frames.bytes, frames.len);
	if (blob) {
		session_send_frame(subscription->session, blob);
		metric_add(METRIC_EVENTS_OUT, sent);
	} else {
		subscription_lose(subscription, sent, (struct record_id){0}, METRIC_DROPPED_MEMORY);
	}
	blob_unref(blob);
	buf_fini(&frames);
	if (conflation_count(subscription->conflation)) {
		set_state(subscription, SUBSCRIPTION_LAGGING);
		session_pace(subscription->session);
		return;
	}
	conflation_free(subscription->conflation);
	subscription->conflation = NULL;
}

void subscription_resume(struct subscription *subscription)
{
	if (subscription->state == SUBSCRIPTION_CATCHUP)
		return;
	set_state(subscription, SUBSCRIPTION_LIVE);
	if (subscription->dropped)
		subscription_send_gap(subscription, (struct record_id){0});
	if (subscription->conflation)
		send_conflated(subscription);
}
