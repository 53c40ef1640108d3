/* What a subscription does not get, and how its client is told. */
#include "gateway/session/exchange_inside.h"
#include "gateway/session/session_inside.h"
#include "gateway/session/subscription.h"

void subscription_lose(struct subscription *subscription, size_t events, struct record_id after, enum metric reason)
{
	if (!events)
		return;
	cohort_forget_step(subscription->cohort, subscription);
	if (!subscription->dropped) {
		subscription->dropped_after = after;
		subscription->dropped_reason = reason == METRIC_DROPPED_RATE ? "rate" : "slow";
	}
	subscription->dropped += events;
	subscription->session->owes_gaps = true;
	metric_add(reason, events);
}

struct value *subscription_gap(const struct subscription *subscription, struct value *after, struct value *before,
			       struct value *dropped, const char *reason)
{
	struct arena *arena = &subscription->session->exchange->arena;
	struct value *gap = value_map(arena);
	gap = value_put(gap, "op", value_text(arena, "gap"));
	gap = value_put(gap, "sub", value_text(arena, subscription->cohort->key));
	gap = value_put(gap, "after", after);
	gap = value_put(gap, "before", before);
	gap = value_put(gap, "dropped", dropped);
	return value_put(gap, "reason", value_text(arena, reason));
}

struct value *gap_id(struct arena *arena, struct record_id id)
{
	char text[RECORD_ID_TEXT];
	if (record_id_is_zero(id))
		return value_null(arena);
	const char *kept = arena_copy(arena, text, record_id_write(text, id));
	return kept ? value_text(arena, kept) : NULL;
}

static struct value *gap_between(const struct subscription *subscription, struct record_id after, struct record_id before,
				 uint64_t dropped, const char *reason)
{
	struct arena *arena = &subscription->session->exchange->arena;
	struct value *count = dropped ? value_uint(arena, dropped) : value_null(arena);
	metric_add(METRIC_GAPS, 1);
	return subscription_gap(subscription, gap_id(arena, after), gap_id(arena, before), count, reason);
}

struct value *subscription_take_gap(struct subscription *subscription, struct record_id before)
{
	uint64_t dropped = subscription->dropped;
	subscription->dropped = 0;
	return gap_between(subscription, subscription->dropped_after, before, dropped, subscription->dropped_reason);
}

void subscription_tell_gap(const struct subscription *subscription, struct record_id after, struct record_id before,
			   uint64_t dropped, const char *reason)
{
	session_send(subscription->session, gap_between(subscription, after, before, dropped, reason));
}

void subscription_tell_unrecorded(struct subscription *subscription)
{
	const struct exchange *exchange = subscription->session->exchange;
	if (subscription->phase_told == exchange->unrecorded_phase)
		return;
	subscription->phase_told = exchange->unrecorded_phase;
	subscription_tell_gap(subscription, exchange->log_head, (struct record_id){0}, 0, "unrecorded");
}
