#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "tests/support/suite.h"

static int compare(const char *a, const char *b)
{
	return json_number_compare(slice_of(a), slice_of(b));
}

/* Each row's spellings are equal, and less than those of the next row. */
static const char *const ascending[][5] = {
    {"-1e99999999999999999999", "-10e99999999999999999998"},
    {"-1E400", "-1e0400", "-0.1e401"},
    {"-123456789012345678901234567890"},
    {"-9223372036854775809"},
    {"-9223372036854775808", "-9223372036854775808.0"},
    {"-10", "-1e1", "-100e-1"},
    {"-9.99"},
    {"-1", "-1.0", "-0.1e1"},
    {"-1e-9999999999999999999999999"},
    {"0", "-0", "0.000", "-0.0e5", "0e999999999999999999999"},
    {"1e-9999999999999999999999999"},
    {"1e-400"},
    {"0.1", "1e-1", "0.10", "100e-3"},
    {"0.1000000000000000055511151231257827"},
    {"0.5", "5e-1", "0.05e1"},
    {"1", "1.0", "1e0", "0.001e3", "1000e-3"},
    {"1.0000000000000000000001"},
    {"9007199254740992"},
    {"9007199254740993"},
    {"18446744073709551615", "1.8446744073709551615e19"},
    {"18446744073709551616"},
    {"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
    {"1e399"},
    {"1e400", "1E+400", "10e399", "0.00001e405"},
    {"1e999999999999999999", "0.1e1000000000000000000", "10e999999999999999998", "1E0000999999999999999999"},
    {"1.1e999999999999999999"},
    {"1e1000000000000000000", "10e999999999999999999", "100e999999999999999998"},
    {"1e9999999999999999999999999999999999999999", "0.1e10000000000000000000000000000000000000000"},
    {"1e99999999999999999999999999999999999999999"},
};

START_TEST(orders_numbers_by_value_whatever_their_spelling)
{
	size_t rows = sizeof ascending / sizeof *ascending;
	for (size_t i = 0; i < rows * 5; i++) {
		for (size_t j = 0; j < rows * 5; j++) {
			const char *a = ascending[i / 5][i % 5], *b = ascending[j / 5][j % 5];
			if (a && b)
				ck_assert_msg(compare(a, b) == (i / 5 > j / 5) - (i / 5 < j / 5), "%s and %s", a, b);
		}
	}
}
END_TEST

START_TEST(orders_integers_as_the_machine_does)
{
	static const long long numbers[] = {-1000, -999, -100, -12, -2,  -1,  0,   1,    2,
	                                    9,     10,   11,   99,  100, 101, 999, 1000, 1001};
	size_t count = sizeof numbers / sizeof *numbers;
	for (size_t i = 0; i < count * count; i++) {
		char a[32], b[32];
		snprintf(a, sizeof a, "%lld", numbers[i / count]);
		snprintf(b, sizeof b, "%lld.000", numbers[i % count]);
		ck_assert_int_eq(compare(a, b), (i / count > i % count) - (i / count < i % count));
	}
}
END_TEST

START_TEST(sees_the_last_of_many_digits)
{
	char a[2001], b[2001];
	memset(a, '7', sizeof a - 1);
	a[2000] = '\0';
	memcpy(b, a, sizeof a);
	ck_assert_int_eq(compare(a, b), 0);
	b[1999] = '8';
	ck_assert_int_eq(compare(a, b), -1);
	ck_assert_int_eq(compare(b, a), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_number");
	TCase *cases = tcase_create("json_number");
	tcase_add_test(cases, orders_numbers_by_value_whatever_their_spelling);
	tcase_add_test(cases, orders_integers_as_the_machine_does);
	tcase_add_test(cases, sees_the_last_of_many_digits);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
