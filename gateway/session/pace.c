#include "gateway/session/pace.h"

#include "common/base/clock.h"
#include "gateway/session/exchange_inside.h"

/* Who had to stop waits for more than one event, so that the next piece is worth its writing. */
#define REST_MS 50

static void on_due(struct alarm *alarm)
{
	struct pace *pace = LIST_ENTRY(alarm, struct pace, alarm);
	pace->on_go_on(pace);
}

void pace_init(struct pace *pace, struct exchange *exchange, pace_go_on *on_go_on)
{
	*pace = (struct pace){.exchange = exchange, .on_go_on = on_go_on};
	bucket_init(&pace->bucket, exchange->settings.events_per_second, 0, clock_mono_ns());
	alarm_init(&pace->alarm, on_due);
}

bool pace_take(struct pace *pace)
{
	uint64_t now_ns = clock_mono_ns();
	if (bucket_take(&pace->bucket, 1, now_ns))
		return true;
	uint64_t wait_ms = bucket_wait_ms(&pace->bucket, 1, now_ns);
	alarm_set(&pace->exchange->alarms, &pace->alarm, now_ns + (wait_ms > REST_MS ? wait_ms : REST_MS) * NS_PER_MS);
	return false;
}

void pace_stop(struct pace *pace)
{
	alarm_stop(&pace->alarm);
}
