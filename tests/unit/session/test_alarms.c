#include "common/base/random.h"
#include "gateway/session/alarms.h"
#include "tests/support/suite.h"

static struct alarms alarms;
static struct alarm a, b, c;
static char rung[16];
static int count;

static void on_due(struct alarm *alarm)
{
	ck_assert(!alarm_is_set(alarm));
	rung[count++] = alarm == &a ? 'a' : alarm == &b ? 'b' : 'c';
	rung[count] = '\0';
}

static void set_again(struct alarm *alarm)
{
	on_due(alarm);
	alarm_set(&alarms, alarm, alarm->due_ns);
}

static void set_later(struct alarm *alarm)
{
	on_due(alarm);
	alarm_set(&alarms, alarm, alarm->due_ns + 10);
}

static void stop_b(struct alarm *alarm)
{
	on_due(alarm);
	alarm_stop(&b);
}

static void setup(void)
{
	alarms_init(&alarms);
	alarm_init(&a, on_due);
	alarm_init(&b, on_due);
	alarm_init(&c, on_due);
	count = 0;
	rung[0] = '\0';
}

START_TEST(ring_in_the_order_of_time_whatever_the_order_in_which_they_were_set)
{
	alarm_set(&alarms, &b, 20);
	alarm_set(&alarms, &c, 30);
	alarm_set(&alarms, &a, 10);
	ck_assert_uint_eq(alarms_next_ns(&alarms), 10);
	alarms_run(&alarms, 20);
	ck_assert_str_eq(rung, "ab");
	ck_assert_uint_eq(alarms_next_ns(&alarms), 30);
	alarms_run(&alarms, 30);
	ck_assert_str_eq(rung, "abc");
	ck_assert_uint_eq(alarms_next_ns(&alarms), UINT64_MAX);
}
END_TEST

START_TEST(those_for_the_same_time_ring_as_they_were_set)
{
	alarm_set(&alarms, &c, 10);
	alarm_set(&alarms, &a, 10);
	alarm_set(&alarms, &b, 10);
	alarms_run(&alarms, 10);
	ck_assert_str_eq(rung, "cab");
}
END_TEST

START_TEST(setting_again_moves_and_stopping_is_harmless)
{
	alarm_set(&alarms, &a, 10);
	alarm_set(&alarms, &a, 40);
	alarm_stop(&b);
	alarms_run(&alarms, 39);
	ck_assert_str_eq(rung, "");
	alarm_stop(&a);
	alarms_run(&alarms, 50);
	ck_assert_str_eq(rung, "");
}
END_TEST

START_TEST(one_that_sets_itself_for_now_rings_once_in_a_run)
{
	alarm_init(&a, set_again);
	alarm_set(&alarms, &a, 10);
	alarms_run(&alarms, 10);
	ck_assert_str_eq(rung, "a");
	ck_assert(alarm_is_set(&a));
	alarm_stop(&a);
}
END_TEST

START_TEST(one_may_stop_another_that_is_due)
{
	alarm_init(&a, stop_b);
	alarm_set(&alarms, &a, 10);
	alarm_set(&alarms, &b, 10);
	alarms_run(&alarms, 10);
	ck_assert_str_eq(rung, "a");
}
END_TEST

/* A model of many: those that ring are in the order of time, and of the same time in the order in which they were set. */
#define MANY 1000
#define TIMES 20

static struct numbered {
	struct alarm alarm;
	unsigned number; /* when it was set last */
} many[MANY];
static uint64_t last_due_ns;
static unsigned last_number, rung_count;

static void on_numbered(struct alarm *alarm)
{
	struct numbered *numbered = (struct numbered *)alarm;
	bool is_behind = alarm->due_ns > last_due_ns || (alarm->due_ns == last_due_ns && numbered->number > last_number);
	ck_assert(rung_count == 0 || is_behind);
	last_due_ns = alarm->due_ns;
	last_number = numbered->number;
	rung_count++;
}

START_TEST(many_that_are_set_moved_and_stopped_keep_their_order)
{
	struct random random = {.state = 4711};
	unsigned number = 0, expected = 0;
	rung_count = 0;
	for (unsigned i = 0; i < MANY; i++)
		alarm_init(&many[i].alarm, on_numbered);
	for (unsigned i = 0; i < 10 * MANY; i++) {
		struct numbered *numbered = &many[random_below(&random, MANY)];
		if (random_below(&random, 4) == 0) {
			alarm_stop(&numbered->alarm);
		} else {
			numbered->number = ++number;
			alarm_set(&alarms, &numbered->alarm, 1 + random_below(&random, TIMES));
		}
	}
	for (unsigned i = 0; i < MANY; i++)
		expected += alarm_is_set(&many[i].alarm);
	for (uint64_t now_ns = 0; alarms_next_ns(&alarms) != UINT64_MAX; now_ns++) {
		alarms_run(&alarms, now_ns);
		ck_assert_uint_gt(alarms_next_ns(&alarms), now_ns);
	}
	ck_assert_uint_gt(expected, MANY / 2);
	ck_assert_uint_eq(rung_count, expected);
}
END_TEST

/* One that is due and another that is not, when the first sets itself again between them. */
START_TEST(one_that_sets_itself_while_they_run_stands_among_the_rest_afterwards)
{
	alarm_init(&a, set_later);
	alarm_set(&alarms, &a, 10);
	alarm_set(&alarms, &b, 10);
	alarm_set(&alarms, &c, 30);
	alarms_run(&alarms, 10);
	ck_assert_str_eq(rung, "ab");
	ck_assert_uint_eq(alarms_next_ns(&alarms), 20);
	alarm_stop(&a);
	ck_assert_uint_eq(alarms_next_ns(&alarms), 30);
	alarms_run(&alarms, 30);
	ck_assert_str_eq(rung, "abc");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alarms");
	TCase *tests = tcase_create("alarms");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, ring_in_the_order_of_time_whatever_the_order_in_which_they_were_set);
	tcase_add_test(tests, those_for_the_same_time_ring_as_they_were_set);
	tcase_add_test(tests, setting_again_moves_and_stopping_is_harmless);
	tcase_add_test(tests, one_that_sets_itself_for_now_rings_once_in_a_run);
	tcase_add_test(tests, one_may_stop_another_that_is_due);
	tcase_add_test(tests, many_that_are_set_moved_and_stopped_keep_their_order);
	tcase_add_test(tests, one_that_sets_itself_while_they_run_stands_among_the_rest_afterwards);
	return suite_run(suite);
}
