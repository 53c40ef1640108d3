/* The clock of a replay: when an event of the past is due. An event is due as far behind the first one as it was recorded,
 * silences cut to max_gap_ms, divided by the speed. Due times are absolute, so that they never drift; who gives an event much
 * later than it was due (its client did not read, Redis was away) goes on at the pace from there. One event at a time is
 * put in front of the clock, and given before the next. Pure values: recorded ms and monotonic ns in, monotonic ns out. */
#ifndef GATEWAY_HISTORY_REPLAY_CLOCK_H
#define GATEWAY_HISTORY_REPLAY_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"

#define REPLAY_SPEED_MIN 0.1
#define REPLAY_SPEED_MAX 1000.0
#define REPLAY_SPEED_FREE 0.0 /* "max": every event is due at once */

/* What was delayed by no more than this is made up for. */
#define REPLAY_LATE_NS (250 * NS_PER_MS)

struct replay_clock {
	double speed;
	uint64_t max_gap_ms; /* UINT64_MAX: silences stay as they are */
	bool is_running;
	bool has_event;      /* false: the next event is the first one: due at once */
	uint64_t event_ms;   /* of the event that was put last, as recorded */
	/* Recorded time without the cut silences, from an arbitrary zero on: */
	uint64_t event_ns;   /* where that event is */
	uint64_t place_ns;   /* where the clock was at since_ns; it runs from there */
	uint64_t since_ns;   /* monotonic */
};

void replay_clock_init(struct replay_clock *clock, double speed, uint64_t max_gap_ms); /* stopped */
void replay_clock_start(struct replay_clock *clock, uint64_t now_ns);
void replay_clock_stop(struct replay_clock *clock, uint64_t now_ns);
void replay_clock_set_speed(struct replay_clock *clock, double speed, uint64_t now_ns);
void replay_clock_forget(struct replay_clock *clock, uint64_t now_ns); /* it goes on elsewhere: the next event is the first one */

/* The next event. One that is not later than the former is due with it. */
void replay_clock_put(struct replay_clock *clock, uint64_t event_ms, uint64_t now_ns);
uint64_t replay_clock_due_ns(const struct replay_clock *clock); /* of that event; UINT64_MAX while the clock stands */
void replay_clock_given(struct replay_clock *clock, uint64_t now_ns);  /* that event was given because it was due */
void replay_clock_arrive(struct replay_clock *clock, uint64_t now_ns); /* it was given whether it was due or not: it is then here */

#endif
