#include "gateway/history/replay_clock.h"

/* Ids may be of any time: a silence of more than three years is no more than that. */
#define GAP_MAX_MS UINT64_C(100000000000)
/* About a century: what is due later is never due. */
#define WAIT_MAX_NS 3e18

void replay_clock_init(struct replay_clock *clock, double speed, uint64_t max_gap_ms)
{
	*clock = (struct replay_clock){.speed = speed, .max_gap_ms = max_gap_ms < GAP_MAX_MS ? max_gap_ms : GAP_MAX_MS};
}

/* Recorded time does not run past the event that is awaited. */
static uint64_t place_at(const struct replay_clock *clock, uint64_t now_ns)
{
	if (!clock->is_running)
		return clock->place_ns;
	double left_ns = (double)(clock->event_ns - clock->place_ns);
	double run_ns = (double)(now_ns - clock->since_ns) * clock->speed;
	return clock->speed == REPLAY_SPEED_FREE || run_ns >= left_ns ? clock->event_ns
	                                                              : clock->place_ns + (uint64_t)run_ns;
}

static void anchor(struct replay_clock *clock, uint64_t place_ns, uint64_t now_ns)
{
	clock->place_ns = place_ns;
	clock->since_ns = now_ns;
}

void replay_clock_start(struct replay_clock *clock, uint64_t now_ns)
{
	if (clock->is_running)
		return;
	clock->is_running = true;
	clock->since_ns = now_ns;
}

void replay_clock_stop(struct replay_clock *clock, uint64_t now_ns)
{
	anchor(clock, place_at(clock, now_ns), now_ns);
	clock->is_running = false;
}

void replay_clock_set_speed(struct replay_clock *clock, double speed, uint64_t now_ns)
{
	anchor(clock, place_at(clock, now_ns), now_ns);
	clock->speed = speed;
}

void replay_clock_forget(struct replay_clock *clock, uint64_t now_ns)
{
	clock->has_event = false;
	replay_clock_arrive(clock, now_ns);
}

void replay_clock_put(struct replay_clock *clock, uint64_t event_ms, uint64_t now_ns)
{
	uint64_t gap_ms = clock->has_event && event_ms > clock->event_ms ? event_ms - clock->event_ms : 0;
	if (!clock->has_event)
		replay_clock_arrive(clock, now_ns);
	clock->event_ns += (gap_ms < clock->max_gap_ms ? gap_ms : clock->max_gap_ms) * NS_PER_MS;
	clock->event_ms = event_ms;
	clock->has_event = true;
}

uint64_t replay_clock_due_ns(const struct replay_clock *clock)
{
	if (!clock->is_running)
		return UINT64_MAX;
	if (clock->speed == REPLAY_SPEED_FREE)
		return clock->since_ns;
	double wait_ns = (double)(clock->event_ns - clock->place_ns) / clock->speed;
	return clock->since_ns + (uint64_t)(wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS);
}

void replay_clock_given(struct replay_clock *clock, uint64_t now_ns)
{
	if (clock->speed == REPLAY_SPEED_FREE || now_ns > replay_clock_due_ns(clock) + REPLAY_LATE_NS)
		replay_clock_arrive(clock, now_ns);
}

void replay_clock_arrive(struct replay_clock *clock, uint64_t now_ns)
{
	anchor(clock, clock->event_ns, now_ns);
}
