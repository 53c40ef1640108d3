#include <check.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "gateway/wire/deadlines.h"
#include "tests/support/suite.h"

#define FAR_MS 60000

struct named {
	struct deadline deadline;
	char name;
};

static uv_loop_t loop;
static struct deadlines deadlines;
static struct named a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
static char expired[8];
static size_t count;

static void on_expired(struct deadline *deadline)
{
	ck_assert(!deadline_is_set(deadline));
	expired[count++] = LIST_ENTRY(deadline, struct named, deadline)->name;
	expired[count] = '\0';
}

static void setup(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	deadlines_init(&deadlines, &loop, 20 * NS_PER_MS, on_expired);
	count = 0;
	expired[0] = '\0';
}

static void teardown(void)
{
	deadlines_close(&deadlines);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void start_in(struct named *named, uint64_t ms)
{
	deadlines_start_at(&deadlines, &named->deadline, clock_mono_ns() + ms * NS_PER_MS);
}

static void run_until(size_t wanted)
{
	while (count < wanted)
		uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(come_in_the_order_of_time_whatever_the_order_in_which_they_were_set)
{
	start_in(&a, 30);
	start_in(&b, 10);
	deadlines_start(&deadlines, &c.deadline);
	run_until(3);
	ck_assert_str_eq(expired, "bca");
}
END_TEST

START_TEST(one_that_is_sooner_than_the_first_is_not_late)
{
	uint64_t begun_ms = clock_mono_ms();
	start_in(&a, FAR_MS);
	start_in(&b, 10);
	run_until(1);
	ck_assert_str_eq(expired, "b");
	ck_assert_uint_lt(clock_mono_ms() - begun_ms, FAR_MS / 4);
	deadline_stop(&a.deadline);
}
END_TEST

START_TEST(none_comes_early_or_after_it_was_stopped)
{
	uint64_t begun_ns = clock_mono_ns();
	start_in(&a, 5);
	start_in(&b, 40);
	deadline_stop(&a.deadline);
	ck_assert(!deadline_is_set(&a.deadline) && deadline_is_set(&b.deadline));
	deadline_stop(&a.deadline);
	run_until(1);
	ck_assert_str_eq(expired, "b");
	ck_assert_uint_ge(clock_mono_ns() - begun_ns, 40 * NS_PER_MS);
}
END_TEST

START_TEST(one_that_has_passed_already_comes_at_once)
{
	deadlines_start_at(&deadlines, &a.deadline, 1);
	run_until(1);
	ck_assert_str_eq(expired, "a");
	ck_assert_uint_eq(a.deadline.at_ns, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadlines");
	TCase *tests = tcase_create("deadlines");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, come_in_the_order_of_time_whatever_the_order_in_which_they_were_set);
	tcase_add_test(tests, one_that_is_sooner_than_the_first_is_not_late);
	tcase_add_test(tests, none_comes_early_or_after_it_was_stopped);
	tcase_add_test(tests, one_that_has_passed_already_comes_at_once);
	return suite_run(suite);
}
