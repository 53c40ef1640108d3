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

static struct telling gap_between(const struct subscription *subscription, struct record_id after, struct record_id before,
				  uint64_t dropped, const char *reason)
{
	struct telling gap = telling_begin_gap(subscription->session, "sub", subscription->cohort->key);
	telling_put_id(&gap, "after", after);
	telling_end_gap(&gap, before, dropped, reason);
	return gap;
}

struct telling subscription_take_gap(struct subscription *subscription, struct record_id before)
{
	uint64_t dropped = subscription->dropped;
	subscription->dropped = 0;
	return gap_between(subscription, subscription->dropped_after, before, dropped, subscription->dropped_reason);
}

void subscription_send_gap(struct subscription *subscription, struct record_id before)
{
	struct telling gap = subscription_take_gap(subscription, before);
	telling_send(&gap);
}

void subscription_tell_gap(const struct subscription *subscription, struct record_id after, struct record_id before,
			   uint64_t dropped, const char *reason)
{
	struct telling gap = gap_between(subscription, after, before, dropped, reason);
	telling_send(&gap);
}

void subscription_tell_no_past(const struct subscription *subscription, const struct value *since)
{
	struct telling gap = telling_begin_gap(subscription->session, "sub", subscription->cohort->key);
	telling_put(&gap, "after", value_copy(gap.arena, since));
	telling_end_gap(&gap, (struct record_id){0}, 0, "unrecorded");
	telling_send(&gap);
}

void subscription_tell_unrecorded(struct subscription *subscription)
{
	const struct exchange *exchange = subscription->session->exchange;
	if (subscription->phase_told == exchange->unrecorded_phase)
		return;
	subscription->phase_told = exchange->unrecorded_phase;
	subscription_tell_gap(subscription, exchange->log_head, (struct record_id){0}, 0, "unrecorded");
}
