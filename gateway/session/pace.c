#include "gateway/session/pace.h"

#include "common/base/clock.h"
#include "gateway/session/allowance.h"
#include "gateway/session/exchange_inside.h"

/* Who had to stop waits for more than one event, so that the next piece is worth its writing. */
#define REST_MS 50

static void on_due(struct alarm *alarm)
{
	struct pace *pace = LIST_ENTRY(alarm, struct pace, alarm);
	pace->on_go_on(pace);
}

void pace_init(struct pace *pace, struct exchange *exchange, const struct grants *grants, pace_go_on *on_go_on)
{
	struct allowance allowance = allowance_of(&exchange->settings, grants);
	uint64_t now_ns = clock_mono_ns();
	*pace = (struct pace){.exchange = exchange, .on_go_on = on_go_on};
	bucket_init(&pace->events, allowance.limit[LIMIT_EVENTS_PER_SECOND], 0, now_ns);
	bucket_init(&pace->past_events, allowance.limit[LIMIT_HISTORY_EVENTS_PER_SECOND], 0, now_ns);
	alarm_init(&pace->alarm, on_due);
}

bool pace_take(struct pace *pace)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t wait_ms = bucket_wait_ms(&pace->events, 1, now_ns), past_wait_ms = bucket_wait_ms(&pace->past_events, 1, now_ns);
	wait_ms = past_wait_ms > wait_ms ? past_wait_ms : wait_ms;
	if (wait_ms == 0)
		return bucket_take(&pace->events, 1, now_ns) && bucket_take(&pace->past_events, 1, now_ns);
	alarm_set(&pace->exchange->alarms, &pace->alarm, now_ns + (wait_ms > REST_MS ? wait_ms : REST_MS) * NS_PER_MS);
	return false;
}

void pace_stop(struct pace *pace)
{
	alarm_stop(&pace->alarm);
}
