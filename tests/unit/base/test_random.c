#include <check.h>

#include "common/base/random.h"
#include "tests/support/suite.h"

START_TEST(never_repeats_itself_soon_and_never_sticks_at_zero)
{
	struct random random;
	random_init(&random);
	uint64_t first = random_next(&random), last = first;
	for (int i = 0; i < 100000; i++) {
		uint64_t next = random_next(&random);
		ck_assert(next != 0 && next != last && next != first);
		last = next;
	}
}
END_TEST

START_TEST(stays_below_its_bound_and_reaches_all_of_it)
{
	struct random random;
	unsigned seen[10] = {0};
	random_init(&random);
	for (int i = 0; i < 10000; i++) {
		uint64_t number = random_below(&random, 10);
		ck_assert_uint_lt(number, 10);
		seen[number]++;
	}
	for (int i = 0; i < 10; i++)
		ck_assert_uint_gt(seen[i], 500);
	ck_assert_uint_eq(random_below(&random, 0), 0);
}
END_TEST

START_TEST(two_generators_go_different_ways)
{
	struct random one, other;
	random_init(&one);
	random_init(&other);
	ck_assert_uint_ne(random_next(&one), random_next(&other));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("random");
	TCase *tests = tcase_create("random");
	suite_add_tcase(suite, tests);
	tcase_add_test(tests, never_repeats_itself_soon_and_never_sticks_at_zero);
	tcase_add_test(tests, stays_below_its_bound_and_reaches_all_of_it);
	tcase_add_test(tests, two_generators_go_different_ways);
	return suite_run(suite);
}
