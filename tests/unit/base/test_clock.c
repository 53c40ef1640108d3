#include <check.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/support/suite.h"

#define YEAR_2020_MS UINT64_C(1577836800000)

START_TEST(real_clocks_go_forward)
{
	clock_real();
	uint64_t ns = clock_mono_ns();
	ck_assert_uint_ge(clock_mono_ns(), ns);
	ck_assert_uint_ge(clock_mono_ms(), ns / NS_PER_MS);
	ck_assert_uint_gt(clock_wall_ms(), YEAR_2020_MS);
}
END_TEST

START_TEST(fake_clocks_stand_until_moved)
{
	clock_fake(7 * NS_PER_MS, 1000);
	ck_assert_uint_eq(clock_mono_ms(), 7);
	ck_assert_uint_eq(clock_mono_ns(), 7 * NS_PER_MS);
	clock_fake_advance_ms(5);
	ck_assert_uint_eq(clock_mono_ms(), 12);
	ck_assert_uint_eq(clock_wall_ms(), 1005);
	clock_real();
	ck_assert_uint_gt(clock_wall_ms(), YEAR_2020_MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *cases = tcase_create("clock");
	tcase_add_test(cases, real_clocks_go_forward);
	tcase_add_test(cases, fake_clocks_stand_until_moved);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
