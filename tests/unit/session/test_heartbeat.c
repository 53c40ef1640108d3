#include <check.h>
#include <stdlib.h>

#include "gateway/session/heartbeat.h"
#include "tests/support/suite.h"

static struct heartbeats heartbeats;
static struct heartbeat a, b;

static void setup(void)
{
	heartbeats_init(&heartbeats, 100);
	a = b = (struct heartbeat){0};
	list_init(&a.link);
	list_init(&b.link);
}

START_TEST(nothing_is_due_when_there_is_nobody)
{
	ck_assert_uint_eq(heartbeats_next_ns(&heartbeats), UINT64_MAX);
	ck_assert_ptr_null(heartbeats_due(&heartbeats, UINT64_MAX));
}
END_TEST

START_TEST(rests_half_an_interval_and_waits_half_for_the_answer)
{
	heartbeat_rest(&heartbeats, &a, 1000);
	ck_assert_uint_eq(heartbeats_next_ns(&heartbeats), 1050);
	ck_assert_ptr_null(heartbeats_due(&heartbeats, 1049));
	ck_assert_ptr_eq(heartbeats_due(&heartbeats, 1050), &a);
	ck_assert(!a.is_pinged);
	a.is_alive = true;
	heartbeat_pinged(&heartbeats, &a, 1050);
	ck_assert_msg(!a.is_alive, "a sign of life from before the ping does not answer it");
	ck_assert(a.is_pinged);
	ck_assert_uint_eq(heartbeats_next_ns(&heartbeats), 1100);
	heartbeat_rest(&heartbeats, &a, 1100);
	ck_assert(!a.is_pinged);
	ck_assert_uint_eq(heartbeats_next_ns(&heartbeats), 1150);
}
END_TEST

START_TEST(gives_the_one_that_is_due_first_whatever_it_waits_for)
{
	heartbeat_rest(&heartbeats, &a, 1000);
	heartbeat_pinged(&heartbeats, &b, 990);
	ck_assert_ptr_eq(heartbeats_due(&heartbeats, 2000), &b);
	heartbeat_stop(&b);
	ck_assert_ptr_eq(heartbeats_due(&heartbeats, 2000), &a);
	heartbeat_stop(&a);
	heartbeat_stop(&a);
	ck_assert_ptr_null(heartbeats_due(&heartbeats, 2000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("heartbeat");
	TCase *tests = tcase_create("heartbeat");
	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, nothing_is_due_when_there_is_nobody);
	tcase_add_test(tests, rests_half_an_interval_and_waits_half_for_the_answer);
	tcase_add_test(tests, gives_the_one_that_is_due_first_whatever_it_waits_for);
	return suite_run(suite);
}
