#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "common/codec/number.h"
#include "tests/support/suite.h"

static const struct {
	const char *spelling;
	uint64_t uint;
} unsigned_integers[] = {
    {"0", 0}, {"127", 127}, {"9007199254740993", UINT64_C(9007199254740993)}, {"18446744073709551615", UINT64_MAX},
};

static const struct {
	const char *spelling;
	int64_t sint;
} signed_integers[] = {
    {"-1", -1}, {"-9007199254740993", INT64_C(-9007199254740993)}, {"-9223372036854775808", INT64_MIN},
};

START_TEST(takes_integers_of_64_bits_exactly)
{
	for (size_t i = 0; i < sizeof unsigned_integers / sizeof *unsigned_integers; i++) {
		struct number number = number_of(slice_of(unsigned_integers[i].spelling));
		ck_assert_int_eq(number.kind, NUMBER_UINT);
		ck_assert_uint_eq(number.uint, unsigned_integers[i].uint);
	}
	for (size_t i = 0; i < sizeof signed_integers / sizeof *signed_integers; i++) {
		struct number number = number_of(slice_of(signed_integers[i].spelling));
		ck_assert_int_eq(number.kind, NUMBER_INT);
		ck_assert_int_eq(number.sint, signed_integers[i].sint);
	}
}
END_TEST

/* What fits as a double, and is read by the C library as the same one. */
static const char *const doubles[] = {
    "0.1", "1.0", "1.5", "-0", "-0.0", "0.0", "0e5", "-0E-999999999999999999999", "1e3", "1E+3", "1e22", "1e23", "-1e-22", "1e300",
    "123456789012345e280", "0.000000000000000000001", "100000000000000000000000", "3.14159265358979", "0.30000000000000004",
    "2.718281828459045", "3.141592653589793", "-1.7976931348623157e308", "9007199254740992.0", "1.00000000000000000000",
    "0.10000000000000000000000000000", "0.1000000000000000000000000e00000000000000000000000001", "5e-300", "4.35", "8.41e21", "9.313225746154785e-10",
    "2.2250738585072014e-307", "123456.7890123456", "1e0000000000000000000000000000022", "0.5", "1000000000000000000000.0e-21",
};

START_TEST(takes_doubles_that_print_as_the_same_number_again)
{
	for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++) {
		struct number number = number_of(slice_of(doubles[i]));
		ck_assert_msg(number.kind == NUMBER_DOUBLE, "%s", doubles[i]);
		double expected = strtod(doubles[i], NULL);
		ck_assert_msg(number.real == expected && !signbit(number.real) == !signbit(expected), "%s", doubles[i]);
		char text[NUMBER_TEXT];
		size_t len = number_write(number.real, text);
		ck_assert_msg(json_number_compare((struct slice){text, len}, slice_of(doubles[i])) == 0, "%s from %s", text, doubles[i]);
	}
}
END_TEST

static const char *const unfit[] = {
    "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "1E400", "-1e400", "1e309",
    "1.7976931348623159e308", "9007199254740993.0", "0.10000000000000001", "0.1000000000000000055511151231257827", "4.9e-324", "5e-324",
    "1e-400", "1e99999999999999999999999", "1e-99999999999999999999999", "0.1234567890123456789", "1.00000000000000000000001",
    "100000000000000000000001", "2.2250738585072011e-308", "0.300000000000000040000000000001", "5.684341886080802e-14",
};

START_TEST(refuses_to_round)
{
	for (size_t i = 0; i < sizeof unfit / sizeof *unfit; i++)
		ck_assert_msg(number_of(slice_of(unfit[i])).kind == NUMBER_UNFIT, "%s", unfit[i]);
}
END_TEST

START_TEST(takes_no_other_spelling_for_an_integer)
{
	static const char *const others[] = {"1.0", "1e3", "-0", "18446744073709551616", "-9223372036854775809"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ck_assert_msg(number_integer(slice_of(others[i])).kind == NUMBER_UNFIT, "%s", others[i]);
}
END_TEST

START_TEST(decides_a_long_spelling_quickly_and_rightly)
{
	enum { ZEROS = 2000000 };
	char *text = malloc(ZEROS + 32);
	ck_assert_ptr_nonnull(text);
	memcpy(text, "0.", 2);
	memset(text + 2, '0', ZEROS);
	size_t len = 2 + ZEROS + (size_t)snprintf(text + 2 + ZEROS, 30, "15e%d", ZEROS + 1);
	struct number number = number_of((struct slice){text, len});
	ck_assert_int_eq(number.kind, NUMBER_DOUBLE);
	ck_assert(number.real == 1.5);
	free(text);
}
END_TEST

START_TEST(writes_doubles_in_their_shortest_form)
{
	static const struct {
		double real;
		const char *text;
	} cases[] = {
	    {0.1, "0.1"}, {1.0, "1.0"}, {-0.0, "-0.0"}, {1e300, "1e+300"}, {0.30000000000000004, "0.30000000000000004"},
	    {5e-324, "4.94065645841247e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {123456789.0, "123456789.0"},
	    {9007199254740992.0, "9007199254740992.0"}, {-2.5, "-2.5"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[NUMBER_TEXT];
		size_t len = number_write(cases[i].real, text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_uint_eq(len, strlen(text));
		ck_assert(json_is_valid((struct slice){text, len}, NULL, NULL));
	}
}
END_TEST

/* Random doubles of all sizes: each comes back from its shortest form, unless it is said not to fit, which is rare. */
START_TEST(reads_back_what_it_writes)
{
	enum { ROUNDS = 10000 };
	uint64_t state = 88172645463325252ULL;
	int refused = 0;
	for (int i = 0; i < ROUNDS; i++) {
		double real;
		char text[NUMBER_TEXT];
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(&real, &state, sizeof real);
		if (!isnormal(real))
			continue;
		struct slice spelling = {text, number_write(real, text)};
		struct number number = number_of(spelling);
		refused += number.kind == NUMBER_UNFIT;
		ck_assert_msg(number.kind == NUMBER_UNFIT || (number.kind == NUMBER_DOUBLE && number.real == real), "%s", text);
	}
	ck_assert_int_lt(refused, ROUNDS / 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("number");
	TCase *cases = tcase_create("number");
	tcase_add_test(cases, takes_integers_of_64_bits_exactly);
	tcase_add_test(cases, takes_doubles_that_print_as_the_same_number_again);
	tcase_add_test(cases, refuses_to_round);
	tcase_add_test(cases, takes_no_other_spelling_for_an_integer);
	tcase_add_test(cases, decides_a_long_spelling_quickly_and_rightly);
	tcase_add_test(cases, writes_doubles_in_their_shortest_form);
	tcase_add_test(cases, reads_back_what_it_writes);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
