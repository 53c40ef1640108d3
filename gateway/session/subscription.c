#include "gateway/session/subscription.h"

#include <stdlib.h>

#include "gateway/metrics/metrics.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"

/* A conflated batch has at most this many events; more of them make more batches. */
#define CONFLATED_BATCH_MAX 256

struct subscription *subscription_open(struct session *session, struct filter *filter, enum slow_policy policy)
{
	struct subscription *subscription = calloc(1, sizeof *subscription);
	if (!subscription)
		return NULL;
	subscription->cohort = cohort_find(session->exchange, filter, session->front);
	if (!subscription->cohort) {
		free(subscription);
		return NULL;
	}
	subscription->session = session;
	list_init(&subscription->in_cohort);
	list_init(&subscription->in_session);
	cohort_join(subscription->cohort, subscription);
	list_append(&session->subscriptions, &subscription->in_session);
	session->subscription_count++;
	subscription_set_policy(subscription, policy);
	metric_gauge_add(METRIC_SUBSCRIPTIONS, 1);
	return subscription;
}

static void set_state(struct subscription *subscription, enum subscription_state state)
{
	if (subscription->state == state)
		return;
	subscription->state = state;
	if (state == SUBSCRIPTION_LAGGING)
		subscription->session->owes_gaps = true;
	metric_gauge_add(METRIC_LAGGING, state == SUBSCRIPTION_LAGGING ? 1 : -1);
}

void subscription_close(struct subscription *subscription)
{
	while (outbox_drop_oldest(&subscription->session->outbox, subscription))
		continue;
	set_state(subscription, SUBSCRIPTION_LIVE);
	subscription_set_policy(subscription, SLOW_CATCHUP);
	list_remove(&subscription->in_session);
	subscription->session->subscription_count--;
	cohort_leave(subscription->cohort, subscription);
	free(subscription);
	metric_gauge_add(METRIC_SUBSCRIPTIONS, -1);
}

void subscription_set_policy(struct subscription *subscription, enum slow_policy policy)
{
	size_t *conflating = &subscription->cohort->conflating_count;
	if (subscription->policy == SLOW_CONFLATE)
		--*conflating;
	if (policy == SLOW_CONFLATE)
		++*conflating;
	if (policy != SLOW_CONFLATE && subscription->conflation) {
		subscription_lose(subscription, conflation_count(subscription->conflation), METRIC_DROPPED_CONFLATED);
		conflation_free(subscription->conflation);
		subscription->conflation = NULL;
	}
	subscription->policy = policy;
}

void subscription_lose(struct subscription *subscription, size_t events, enum metric reason)
{
	if (!events)
		return;
	subscription->dropped += events;
	subscription->session->owes_gaps = true;
	metric_add(reason, events);
}

struct value *subscription_gap(const struct subscription *subscription, struct value *after, struct value *dropped,
			       const char *reason)
{
	struct arena *arena = &subscription->session->exchange->arena;
	struct value *gap = value_map(arena);
	gap = value_put(gap, "op", value_text(arena, "gap"));
	gap = value_put(gap, "sub", value_text(arena, subscription->cohort->key));
	gap = value_put(gap, "after", after);
	gap = value_put(gap, "before", value_null(arena));
	gap = value_put(gap, "dropped", dropped);
	return value_put(gap, "reason", value_text(arena, reason));
}

struct value *subscription_take_gap(struct subscription *subscription)
{
	struct arena *arena = &subscription->session->exchange->arena;
	struct value *dropped = value_uint(arena, subscription->dropped);
	subscription->dropped = 0;
	return subscription_gap(subscription, value_null(arena), dropped, "slow");
}

/* The client is behind and conflates: keeps the newest of each key. */
static void conflate(struct subscription *subscription, const struct batch *batch)
{
	const struct exchange_settings *settings = &subscription->session->exchange->settings;
	if (!subscription->conflation)
		subscription->conflation = conflation_new(settings->slow_threshold_bytes);
	if (!subscription->conflation || !batch->records) {
		subscription_lose(subscription, batch->count, METRIC_DROPPED_MEMORY);
		return;
	}
	set_state(subscription, SUBSCRIPTION_LAGGING);
	size_t gone = 0;
	for (size_t i = 0; i < batch->count; i++)
		gone += conflation_put(subscription->conflation, batch->records[i]);
	subscription_lose(subscription, gone, METRIC_DROPPED_CONFLATED);
}

/* Lets the batch wait in the outbox. */
static void queue(struct subscription *subscription, struct batch *batch)
{
	struct blob *frame = batch_share(batch);
	struct outbox *outbox = &subscription->session->outbox;
	if (!frame || outbox_push(outbox, frame, subscription, batch->count) != OK)
		subscription_lose(subscription, batch->count, METRIC_DROPPED_MEMORY);
}

static bool has_room(const struct subscription *subscription, const struct batch *batch)
{
	const struct session *session = subscription->session;
	return session->outbox.event_bytes + batch->frame.len <= session->exchange->settings.slow_threshold_bytes;
}

static void offer_to_slow(struct subscription *subscription, struct batch *batch)
{
	if (subscription->policy == SLOW_CONFLATE) {
		conflate(subscription, batch);
		return;
	}
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
		while (!has_room(subscription, &(struct batch){0})) {
			size_t events = outbox_drop_oldest(&subscription->session->outbox, subscription);
			if (!events)
				break;
			subscription_lose(subscription, events, METRIC_DROPPED_SLOW);
		}
		break;
	default:
		set_state(subscription, SUBSCRIPTION_LAGGING);
		subscription_lose(subscription, batch->count, METRIC_DROPPED_SLOW);
	}
}

void subscription_offer(struct subscription *subscription, struct batch *batch)
{
	struct session *session = subscription->session;
	if (session->state != SESSION_OPEN)
		return;
	if (subscription->state == SUBSCRIPTION_LIVE && subscription->dropped && session_is_clear(session))
		session_send(session, subscription_take_gap(subscription));
	if (subscription->state == SUBSCRIPTION_LIVE && session_is_clear(session)) {
		session_write(session, batch->frame);
		metric_add(METRIC_EVENTS_OUT, batch->count);
	} else if (subscription->state == SUBSCRIPTION_LAGGING && subscription->policy != SLOW_CONFLATE) {
		subscription_lose(subscription, batch->count, METRIC_DROPPED_SLOW);
	} else {
		offer_to_slow(subscription, batch);
	}
}

/* Sends what the conflation kept. */
static void send_conflated(struct subscription *subscription)
{
	struct record *records[CONFLATED_BATCH_MAX];
	struct buf frames;
	buf_init(&frames);
	size_t count, sent = 0;
	do {
		for (count = 0; count < CONFLATED_BATCH_MAX; count++)
			if (!(records[count] = conflation_take(subscription->conflation)))
				break;
		if (count)
			cohort_frame_records(subscription->cohort, records, count, &frames);
		sent += count;
		for (size_t i = 0; i < count; i++)
			record_unref(records[i]);
	} while (count == CONFLATED_BATCH_MAX);
	struct blob *blob = buf_has_failed(&frames) ? NULL : blob_new(frames.bytes, frames.len);
	if (blob && sent) {
		session_send_frame(subscription->session, blob);
		metric_add(METRIC_EVENTS_OUT, sent);
	} else if (!blob) {
		subscription_lose(subscription, sent, METRIC_DROPPED_MEMORY);
	}
	blob_unref(blob);
	buf_fini(&frames);
	conflation_free(subscription->conflation);
	subscription->conflation = NULL;
}

void subscription_resume(struct subscription *subscription)
{
	set_state(subscription, SUBSCRIPTION_LIVE);
	if (subscription->dropped)
		session_send(subscription->session, subscription_take_gap(subscription));
	if (subscription->conflation)
		send_conflated(subscription);
}
