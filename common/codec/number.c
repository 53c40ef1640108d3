#include "common/codec/number.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX 17 /* no double needs more to be told from its neighbours */
/* Products and quotients of integers below 2^53 and powers of ten up to here are rounded once, so correctly. */
#define POWER_EXACT_MAX 22
#define LEAD_MAX 308
#define EXPONENT_FAR INT64_C(1000000000000000) /* beyond what the places of digits in a text can make up for */

/* digits times ten to that power. The first and the last of the digits are not 0. */
struct decimal {
	bool is_negative;
	char digits[DIGITS_MAX + 1]; /* NUL behind them */
	size_t count;                /* 0: the number is zero */
	int64_t power;
};

struct number number_integer(struct slice spelling)
{
	bool is_negative = spelling.ptr[0] == '-';
	uint64_t magnitude = 0;
	for (size_t i = is_negative; i < spelling.len; i++) {
		unsigned digit = (unsigned)((unsigned char)spelling.ptr[i] - '0');
		if (digit > 9 || magnitude > (UINT64_MAX - digit) / 10)
			return (struct number){.kind = NUMBER_UNFIT};
		magnitude = magnitude * 10 + digit;
	}
	if (!is_negative)
		return (struct number){.kind = NUMBER_UINT, .uint = magnitude};
	if (magnitude == 0 || magnitude > (uint64_t)INT64_MAX + 1)
		return (struct number){.kind = NUMBER_UNFIT};
	return (struct number){.kind = NUMBER_INT, .sint = -(int64_t)(magnitude - 1) - 1};
}

/* Zeros wait in *zeros until a digit behind them makes them count. False: too many digits. */
static bool add_digit(struct decimal *decimal, char digit, int64_t *zeros)
{
	if (digit == '0') {
		*zeros += decimal->count > 0;
		return true;
	}
	if (*zeros >= (int64_t)(DIGITS_MAX - decimal->count))
		return false;
	for (; *zeros; --*zeros)
		decimal->digits[decimal->count++] = '0';
	decimal->digits[decimal->count++] = digit;
	return true;
}

static int64_t read_exponent(const char *at, const char *end)
{
	int64_t exponent = 0;
	if (at == end)
		return 0;
	bool is_negative = *++at == '-';
	if (*at == '-' || *at == '+')
		at++;
	for (; at < end && exponent < EXPONENT_FAR; at++)
		exponent = exponent * 10 + (*at - '0');
	return is_negative ? -exponent : exponent;
}

static bool take_apart(struct slice spelling, struct decimal *ret_decimal)
{
	const char *at = spelling.ptr, *end = at + spelling.len;
	struct decimal decimal = {.is_negative = *at == '-'};
	int64_t zeros = 0, places = 0;
	bool is_behind_point = false;
	for (at += decimal.is_negative; at < end && (*at | 0x20) != 'e'; at++) {
		if (*at == '.')
			is_behind_point = true;
		else if (add_digit(&decimal, *at, &zeros))
			places += is_behind_point;
		else
			return false;
	}
	decimal.power = read_exponent(at, end) - places + zeros;
	*ret_decimal = decimal;
	return true;
}

static double multiply(uint64_t digits, int power)
{
	static const double powers[POWER_EXACT_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
							   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
							   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	return power < 0 ? (double)digits / powers[-power] : (double)digits * powers[power];
}

static double compose(uint64_t digits, int64_t power)
{
	char text[2 * NUMBER_TEXT];
	snprintf(text, sizeof text, "%" PRIu64 "e%" PRId64, digits, power);
	return strtod(text, NULL);
}

static bool has_digits(double real, const struct decimal *decimal)
{
	char text[NUMBER_TEXT];
	snprintf(text, sizeof text, "%.*e", (int)decimal->count - 1, real);
	return text[0] == decimal->digits[0] && memcmp(text + 2, decimal->digits + 1, decimal->count - 1) == 0 &&
	       strtol(text + decimal->count + 2, NULL, 10) == decimal->power + (int64_t)decimal->count - 1;
}

/* Whether the shortest form of the double is this decimal. Up to DBL_DIG digits always are; more are where these are the
 * double's own and neither neighbour with a digit less is read as it. */
static bool is_shortest(double real, const struct decimal *decimal)
{
	if (decimal->count <= DBL_DIG)
		return true;
	uint64_t below = strtoull(decimal->digits, NULL, 10) / 10;
	return has_digits(real, decimal) && compose(below, decimal->power + 1) != real &&
	       compose(below + 1, decimal->power + 1) != real;
}

static bool read_double(const struct decimal *decimal, double *ret_real)
{
	int64_t lead = decimal->power + (int64_t)decimal->count - 1;
	if (lead > LEAD_MAX || lead < -LEAD_MAX)
		return false;
	if (decimal->count <= DBL_DIG && decimal->power <= POWER_EXACT_MAX && decimal->power >= -POWER_EXACT_MAX) {
		*ret_real = multiply(strtoull(decimal->digits, NULL, 10), (int)decimal->power);
		return true;
	}
	double real = compose(strtoull(decimal->digits, NULL, 10), decimal->power);
	if (!isnormal(real) || !is_shortest(real, decimal))
		return false;
	*ret_real = real;
	return true;
}

struct number number_of(struct slice spelling)
{
	struct number number = number_integer(spelling);
	struct decimal decimal;
	double real = 0;
	if (number.kind != NUMBER_UNFIT || !take_apart(spelling, &decimal))
		return number;
	if (decimal.count && !read_double(&decimal, &real))
		return number;
	return (struct number){.kind = NUMBER_DOUBLE, .real = decimal.is_negative ? -real : real};
}

size_t number_write(double real, char ret_text[NUMBER_TEXT])
{
	int len = 0;
	for (int digits = DBL_DIG; digits <= DIGITS_MAX; digits++) {
		len = snprintf(ret_text, NUMBER_TEXT, "%.*g", digits, real);
		if (strtod(ret_text, NULL) == real)
			break;
	}
	if (!strpbrk(ret_text, ".e"))
		len += snprintf(ret_text + len, NUMBER_TEXT - (size_t)len, ".0");
	return (size_t)len;
}
