#include <check.h>
#include <stdlib.h>

#include "gateway/limiter/budget.h"
#include "tests/support/suite.h"

static struct budget budget;

START_TEST(without_a_limit_it_is_never_over)
{
	budget_init(&budget, 0);
	ck_assert(!budget_look(&budget, UINT64_MAX, 1));
}
END_TEST

START_TEST(it_is_over_above_the_limit_until_below_nine_tenths)
{
	budget_init(&budget, 1000);
	ck_assert(!budget_look(&budget, 1000, 1));
	ck_assert(budget_look(&budget, 1001, 2));
	ck_assert_uint_eq(budget.over_since_ms, 2);
	ck_assert(budget_look(&budget, 950, 3));
	ck_assert(budget_look(&budget, 900, 4));
	ck_assert(budget_look(&budget, 2000, 5));
	ck_assert_uint_eq(budget.over_since_ms, 2);
	ck_assert(!budget_look(&budget, 899, 6));
	ck_assert(!budget_look(&budget, 1000, 7));
	ck_assert(budget_look(&budget, 1001, 8));
	ck_assert_uint_eq(budget.over_since_ms, 8);
}
END_TEST

START_TEST(extreme_limits_do_not_wrap)
{
	budget_init(&budget, UINT64_MAX);
	ck_assert(!budget_look(&budget, UINT64_MAX, 1));
	budget_init(&budget, 1);
	ck_assert(budget_look(&budget, UINT64_MAX, 1));
	ck_assert(!budget_look(&budget, 0, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tests = tcase_create("budget");
	tcase_add_test(tests, without_a_limit_it_is_never_over);
	tcase_add_test(tests, it_is_over_above_the_limit_until_below_nine_tenths);
	tcase_add_test(tests, extreme_limits_do_not_wrap);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
