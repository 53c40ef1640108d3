#include <check.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/limiter/bucket.h"
#include "tests/support/suite.h"

static struct bucket bucket;

START_TEST(starts_full_and_refuses_what_is_not_there)
{
	bucket_init(&bucket, 10, 5, 1000);
	ck_assert(bucket_take(&bucket, 5, 1000));
	ck_assert(!bucket_take(&bucket, 1, 1000));
	ck_assert(bucket_take(&bucket, 0, 1000));
}
END_TEST

START_TEST(takes_all_or_nothing)
{
	bucket_init(&bucket, 10, 5, 0);
	ck_assert(!bucket_take(&bucket, 6, 0));
	ck_assert(bucket_take(&bucket, 5, 0));
}
END_TEST

START_TEST(a_burst_of_zero_means_the_rate)
{
	bucket_init(&bucket, 7, 0, 0);
	ck_assert(bucket_take(&bucket, 7, 0));
	ck_assert(!bucket_take(&bucket, 1, 0));
}
END_TEST

START_TEST(refills_to_the_nanosecond)
{
	bucket_init(&bucket, 3, 1, 0);
	ck_assert(bucket_take(&bucket, 1, 0));
	ck_assert(!bucket_take(&bucket, 1, 333333333));
	ck_assert(bucket_take(&bucket, 1, 333333334));
}
END_TEST

START_TEST(loses_nothing_when_asked_often)
{
	uint64_t taken = 0;
	bucket_init(&bucket, 3, 2, 0);
	ck_assert(bucket_take(&bucket, 2, 0));
	for (uint64_t now_ns = 7; now_ns <= NS_PER_S; now_ns += 997)
		taken += bucket_take(&bucket, 1, now_ns);
	taken += bucket_take(&bucket, 1, NS_PER_S + 1000);
	ck_assert_uint_eq(taken, 3);
}
END_TEST

START_TEST(a_long_sleep_fills_it_and_no_more)
{
	static const uint64_t rates[] = {1, 1000, UINT64_MAX};
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		bucket_init(&bucket, rates[i], 4, 0);
		ck_assert(bucket_take(&bucket, 4, 0));
		ck_assert(bucket_take(&bucket, 4, UINT64_MAX));
		ck_assert(!bucket_take(&bucket, 1, UINT64_MAX));
	}
}
END_TEST

START_TEST(a_clock_that_stands_or_goes_back_gives_nothing)
{
	bucket_init(&bucket, 1000, 1, 5 * NS_PER_S);
	ck_assert(bucket_take(&bucket, 1, 5 * NS_PER_S));
	ck_assert(!bucket_take(&bucket, 1, 5 * NS_PER_S));
	ck_assert(!bucket_take(&bucket, 1, 1 * NS_PER_S));
	ck_assert(!bucket_take(&bucket, 1, 5 * NS_PER_S));
	ck_assert(bucket_take(&bucket, 1, 5 * NS_PER_S + NS_PER_MS));
}
END_TEST

START_TEST(a_rate_of_zero_means_no_limit)
{
	bucket_init(&bucket, 0, 0, 0);
	ck_assert(bucket_take(&bucket, UINT64_MAX, 0));
	ck_assert_uint_eq(bucket_wait_ms(&bucket, UINT64_MAX, 0), 0);
}
END_TEST

START_TEST(says_how_long_to_wait_and_is_right)
{
	bucket_init(&bucket, 3, 10, 0);
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 10, 0), 0);
	ck_assert(bucket_take(&bucket, 10, 0));
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 1, 0), 334);
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 10, 0), 3334);
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 1, 100 * NS_PER_MS), 234);
	ck_assert(!bucket_take(&bucket, 1, 333 * NS_PER_MS));
	ck_assert(bucket_take(&bucket, 1, 334 * NS_PER_MS));
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 11, 0), UINT64_MAX);
	ck_assert_uint_eq(bucket_wait_ms(&bucket, UINT64_MAX, 0), UINT64_MAX);
}
END_TEST

START_TEST(huge_bursts_do_not_wrap)
{
	bucket_init(&bucket, UINT64_MAX, UINT64_MAX, 0);
	ck_assert(bucket_take(&bucket, UINT64_C(18000000000), 0));
	ck_assert(!bucket_take(&bucket, UINT64_C(18000000000), 0));
	ck_assert(bucket_take(&bucket, UINT64_C(18000000000), 1));
}
END_TEST

START_TEST(another_rate_keeps_it_as_full_as_it_was)
{
	bucket_init(&bucket, 100, 100, 0);
	ck_assert(bucket_take(&bucket, 75, 0));
	bucket_change(&bucket, 1000, 1000, 0);
	ck_assert(bucket_take(&bucket, 250, 0));
	ck_assert(!bucket_take(&bucket, 1, 0));
	ck_assert_uint_eq(bucket_wait_ms(&bucket, 1, 0), 1);
	bucket_change(&bucket, 10, 0, NS_PER_S / 2);
	ck_assert(bucket_take(&bucket, 5, NS_PER_S / 2));
	ck_assert(!bucket_take(&bucket, 1, NS_PER_S / 2));
}
END_TEST

START_TEST(a_change_gives_no_token_to_whoever_asks_for_it_often)
{
	uint64_t taken = 0;
	bucket_init(&bucket, 10, 10, 0);
	ck_assert(bucket_take(&bucket, 10, 0));
	for (uint64_t now_ns = 0; now_ns < NS_PER_S; now_ns += NS_PER_MS) {
		bucket_change(&bucket, now_ns / NS_PER_MS % 2 ? 10 : 11, 10, now_ns);
		taken += bucket_take(&bucket, 1, now_ns);
	}
	ck_assert_uint_ge(taken, 9);
	ck_assert_uint_le(taken, 11);
}
END_TEST

START_TEST(a_change_from_no_limit_begins_full_and_to_no_limit_lets_all_pass)
{
	bucket_init(&bucket, 0, 0, 0);
	bucket_change(&bucket, 10, 4, 5);
	ck_assert(bucket_take(&bucket, 4, 5));
	ck_assert(!bucket_take(&bucket, 1, 5));
	bucket_change(&bucket, 0, 0, 5);
	ck_assert(bucket_take(&bucket, UINT64_MAX, 5));
	struct bucket fresh = {0};
	bucket_change(&fresh, 3, 0, 7);
	ck_assert(bucket_take(&fresh, 3, 7));
	ck_assert(!bucket_take(&fresh, 1, 7));
}
END_TEST

START_TEST(a_change_does_not_wrap_and_does_not_go_back_in_time)
{
	bucket_init(&bucket, UINT64_MAX, UINT64_MAX, 100);
	bucket_change(&bucket, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	ck_assert(bucket_take(&bucket, UINT64_C(18000000000), UINT64_MAX));
	bucket_init(&bucket, 1, 1, 10 * NS_PER_S);
	ck_assert(bucket_take(&bucket, 1, 10 * NS_PER_S));
	bucket_change(&bucket, 1, 1, 5 * NS_PER_S); /* a clock that went back */
	ck_assert(!bucket_take(&bucket, 1, 10 * NS_PER_S));
	ck_assert(bucket_take(&bucket, 1, 11 * NS_PER_S));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bucket");
	TCase *tests = tcase_create("bucket");
	tcase_add_test(tests, starts_full_and_refuses_what_is_not_there);
	tcase_add_test(tests, takes_all_or_nothing);
	tcase_add_test(tests, a_burst_of_zero_means_the_rate);
	tcase_add_test(tests, refills_to_the_nanosecond);
	tcase_add_test(tests, loses_nothing_when_asked_often);
	tcase_add_test(tests, a_long_sleep_fills_it_and_no_more);
	tcase_add_test(tests, a_clock_that_stands_or_goes_back_gives_nothing);
	tcase_add_test(tests, a_rate_of_zero_means_no_limit);
	tcase_add_test(tests, says_how_long_to_wait_and_is_right);
	tcase_add_test(tests, huge_bursts_do_not_wrap);
	tcase_add_test(tests, another_rate_keeps_it_as_full_as_it_was);
	tcase_add_test(tests, a_change_gives_no_token_to_whoever_asks_for_it_often);
	tcase_add_test(tests, a_change_from_no_limit_begins_full_and_to_no_limit_lets_all_pass);
	tcase_add_test(tests, a_change_does_not_wrap_and_does_not_go_back_in_time);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
