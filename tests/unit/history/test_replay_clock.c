#include <check.h>
#include <stdlib.h>

#include "common/base/random.h"
#include "gateway/history/replay_clock.h"
#include "tests/support/suite.h"

#define START (5 * NS_PER_S)
#define FIRST_MS UINT64_C(1764031200000)

static struct replay_clock clock_at(double speed, uint64_t max_gap_ms)
{
	struct replay_clock clock;
	replay_clock_init(&clock, speed, max_gap_ms);
	replay_clock_start(&clock, START);
	return clock;
}

/* Puts the event and gives how long after the start it is due; it is given then. */
static uint64_t due_after(struct replay_clock *clock, uint64_t event_ms)
{
	replay_clock_put(clock, FIRST_MS + event_ms, START);
	uint64_t due_ns = replay_clock_due_ns(clock);
	replay_clock_given(clock, due_ns);
	return due_ns - START;
}

START_TEST(an_event_is_due_at_its_distance_from_the_first_by_the_speed)
{
	static const double speeds[] = {0.1, 0.25, 1, 4, 1000};
	for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
		struct replay_clock clock = clock_at(speeds[i], UINT64_MAX);
		uint64_t event_ms = 0;
		for (int n = 0; n < 10000; n++, event_ms += 1 + (uint64_t)n % 77) {
			uint64_t due_ns = due_after(&clock, event_ms);
			uint64_t wanted_ns = (uint64_t)((double)(event_ms * NS_PER_MS) / speeds[i]);
			ck_assert_uint_eq(due_ns, wanted_ns);
		}
	}
}
END_TEST

START_TEST(at_free_speed_everything_is_due_at_once)
{
	struct replay_clock clock = clock_at(REPLAY_SPEED_FREE, UINT64_MAX);
	for (uint64_t n = 0; n < 10; n++)
		ck_assert_uint_eq(due_after(&clock, n * 3600 * 1000), 0);
}
END_TEST

START_TEST(silences_are_cut_before_they_are_scaled)
{
	struct replay_clock clock = clock_at(2, 1000);
	ck_assert_uint_eq(due_after(&clock, 0), 0);
	ck_assert_uint_eq(due_after(&clock, 400), 200 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 3600400), 700 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 3601400), 1200 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 3601500), 1250 * NS_PER_MS);
}
END_TEST

START_TEST(events_of_one_ms_and_earlier_ones_are_due_together)
{
	struct replay_clock clock = clock_at(1, UINT64_MAX);
	due_after(&clock, 0);
	ck_assert_uint_eq(due_after(&clock, 10), 10 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 10), 10 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 5), 10 * NS_PER_MS);
	ck_assert_uint_eq(due_after(&clock, 6), 11 * NS_PER_MS);
}
END_TEST

START_TEST(a_pause_in_a_silence_leaves_its_rest)
{
	struct replay_clock clock = clock_at(2, UINT64_MAX);
	due_after(&clock, 0);
	replay_clock_put(&clock, FIRST_MS + 1000, START);
	replay_clock_stop(&clock, START + 100 * NS_PER_MS);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), UINT64_MAX);
	replay_clock_stop(&clock, START + NS_PER_S); /* again changes nothing */
	replay_clock_start(&clock, START + 60 * NS_PER_S);
	replay_clock_start(&clock, START + 61 * NS_PER_S);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 60 * NS_PER_S + 400 * NS_PER_MS);
}
END_TEST

START_TEST(another_speed_holds_from_the_moment_on)
{
	struct replay_clock clock = clock_at(1, UINT64_MAX);
	due_after(&clock, 0);
	replay_clock_put(&clock, FIRST_MS + 1000, START);
	replay_clock_set_speed(&clock, 10, START + 500 * NS_PER_MS);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 550 * NS_PER_MS);
	replay_clock_set_speed(&clock, REPLAY_SPEED_FREE, START + 510 * NS_PER_MS);
	ck_assert_uint_le(replay_clock_due_ns(&clock), START + 510 * NS_PER_MS);
	replay_clock_given(&clock, START + 510 * NS_PER_MS);
	replay_clock_set_speed(&clock, 1, START + 600 * NS_PER_MS);
	replay_clock_put(&clock, FIRST_MS + 1100, START + 600 * NS_PER_MS);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 700 * NS_PER_MS);
}
END_TEST

START_TEST(a_small_delay_is_made_up_for_and_a_long_one_is_not)
{
	struct replay_clock clock = clock_at(1, UINT64_MAX);
	due_after(&clock, 0);
	replay_clock_put(&clock, FIRST_MS + 100, START);
	replay_clock_given(&clock, START + 100 * NS_PER_MS + REPLAY_LATE_NS);
	replay_clock_put(&clock, FIRST_MS + 200, START);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 200 * NS_PER_MS);
	replay_clock_given(&clock, START + 10 * NS_PER_S);
	replay_clock_put(&clock, FIRST_MS + 300, START + 10 * NS_PER_S);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 10 * NS_PER_S + 100 * NS_PER_MS);
}
END_TEST

START_TEST(elsewhere_the_first_event_is_due_at_once)
{
	struct replay_clock clock = clock_at(1, UINT64_MAX);
	due_after(&clock, 0);
	replay_clock_put(&clock, FIRST_MS + 100, START);
	replay_clock_forget(&clock, START + 50 * NS_PER_MS);
	replay_clock_put(&clock, FIRST_MS - 9000, START + 60 * NS_PER_MS);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 60 * NS_PER_MS);
	replay_clock_given(&clock, START + 60 * NS_PER_MS);
	replay_clock_put(&clock, FIRST_MS - 8000, START + 60 * NS_PER_MS);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 1060 * NS_PER_MS);
}
END_TEST

START_TEST(a_step_takes_the_clock_to_its_event)
{
	struct replay_clock clock = clock_at(1, UINT64_MAX);
	due_after(&clock, 0);
	replay_clock_stop(&clock, START);
	replay_clock_put(&clock, FIRST_MS + 1000, START);
	replay_clock_arrive(&clock, START + NS_PER_MS);
	replay_clock_put(&clock, FIRST_MS + 1500, START);
	replay_clock_start(&clock, START + 2 * NS_PER_S);
	ck_assert_uint_eq(replay_clock_due_ns(&clock), START + 2500 * NS_PER_MS);
}
END_TEST

START_TEST(any_times_and_controls_give_a_due_time_that_is_not_past)
{
	struct random dice;
	random_init(&dice);
	for (int run = 0; run < 200; run++) {
		struct replay_clock clock = clock_at(0.1, UINT64_MAX);
		uint64_t now_ns = START;
		for (int i = 0; i < 200; i++) {
			now_ns += random_below(&dice, NS_PER_S);
			switch (random_below(&dice, 6)) {
			case 0:
				replay_clock_stop(&clock, now_ns);
				break;
			case 1:
				replay_clock_start(&clock, now_ns);
				break;
			case 2:
				replay_clock_set_speed(&clock, (double)(1 + random_below(&dice, 10000)) / 10, now_ns);
				break;
			case 3:
				replay_clock_given(&clock, now_ns);
				break;
			default:
				replay_clock_put(&clock, random_below(&dice, UINT64_MAX), now_ns);
			}
			ck_assert_uint_ge(replay_clock_due_ns(&clock), clock.since_ns);
		}
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("replay_clock");
	tcase_add_test(tests, an_event_is_due_at_its_distance_from_the_first_by_the_speed);
	tcase_add_test(tests, at_free_speed_everything_is_due_at_once);
	tcase_add_test(tests, silences_are_cut_before_they_are_scaled);
	tcase_add_test(tests, events_of_one_ms_and_earlier_ones_are_due_together);
	tcase_add_test(tests, a_pause_in_a_silence_leaves_its_rest);
	tcase_add_test(tests, another_speed_holds_from_the_moment_on);
	tcase_add_test(tests, a_small_delay_is_made_up_for_and_a_long_one_is_not);
	tcase_add_test(tests, elsewhere_the_first_event_is_due_at_once);
	tcase_add_test(tests, a_step_takes_the_clock_to_its_event);
	tcase_add_test(tests, any_times_and_controls_give_a_due_time_that_is_not_past);
	Suite *suite = suite_create("replay_clock");
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
