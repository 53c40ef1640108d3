#include <check.h>
#include <stdlib.h>

#include "gateway/redis/backoff.h"
#include "tests/support/suite.h"

START_TEST(doubles_up_to_its_bound)
{
	struct backoff backoff = {.low_ns = 100, .high_ns = 350};
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 100);
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 200);
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 350);
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 350);
	backoff_reset(&backoff);
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 100);
}
END_TEST

START_TEST(draws_from_the_upper_half)
{
	uint64_t least = UINT64_MAX, most = 0;
	for (uint64_t random = 0; random < 1000; random++) {
		struct backoff backoff = {.low_ns = 100, .high_ns = 1000};
		uint64_t wait = backoff_next_ns(&backoff, random);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	ck_assert_uint_eq(least, 50);
	ck_assert_uint_eq(most, 100);
}
END_TEST

START_TEST(bears_bounds_in_the_wrong_order)
{
	struct backoff backoff = {.low_ns = 100, .high_ns = 10};
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 100);
	ck_assert_uint_eq(backoff_next_ns(&backoff, 0), 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("backoff");
	TCase *tests = tcase_create("backoff");
	tcase_add_test(tests, doubles_up_to_its_bound);
	tcase_add_test(tests, draws_from_the_upper_half);
	tcase_add_test(tests, bears_bounds_in_the_wrong_order);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
