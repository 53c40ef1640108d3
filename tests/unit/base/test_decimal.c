#include <check.h>
#include <stdlib.h>

#include "common/base/decimal.h"
#include "tests/support/suite.h"

START_TEST(numbers_are_digits_within_their_bounds)
{
	uint64_t number = 7;
	ck_assert(decimal_read(SLICE_LITERAL("0"), 0, &number) && number == 0);
	ck_assert(decimal_read(SLICE_LITERAL("0042"), 42, &number) && number == 42);
	ck_assert(decimal_read(SLICE_LITERAL("18446744073709551615"), UINT64_MAX, &number) && number == UINT64_MAX);
	ck_assert(!decimal_read(SLICE_LITERAL("18446744073709551616"), UINT64_MAX, &number));
	ck_assert(!decimal_read(SLICE_LITERAL("43"), 42, &number));
	ck_assert(!decimal_read(SLICE_LITERAL("5"), 3, &number));
	ck_assert(!decimal_read(SLICE_LITERAL(""), 3, &number));
	ck_assert(!decimal_read(SLICE_LITERAL("1 "), 3, &number));
	ck_assert(!decimal_read(SLICE_LITERAL("+1"), 3, &number));
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
	static const uint64_t numbers[] = {0, 9, 10, UINT64_C(1764031200123), UINT64_MAX};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char text[DECIMAL_DIGITS_MAX];
		uint64_t number;
		ck_assert(decimal_read((struct slice){text, decimal_write(text, numbers[i])}, UINT64_MAX, &number));
		ck_assert_uint_eq(number, numbers[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decimal");
	TCase *tests = tcase_create("decimal");
	tcase_add_test(tests, numbers_are_digits_within_their_bounds);
	tcase_add_test(tests, what_is_written_is_read_again);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
