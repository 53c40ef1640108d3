#include "common/codec/json.h"

/* A difference of exponents is only followed up to here: far beyond what the places of digits in a text can make up
 * for. */
#define EXPONENT_FAR INT64_C(100000000000000000)

/* A number's spelling taken apart, as 0.<digits> times ten to the power of exponent + places, where the first of the
 * digits is not 0. Nothing is copied: digits still holds the point. */
struct decimal {
	int sign;            /* 0: the number is zero, and nothing else counts */
	struct slice digits; /* from the first that is not 0 to the exponent's letter */
	int64_t places;
	bool exponent_negative;
	struct slice exponent; /* its digits; may be empty, any length */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct slice skip_bytes(struct slice text, size_t bytes)
{
	return (struct slice){text.ptr + bytes, text.len - bytes};
}

static void take_exponent(struct decimal *number, struct slice *mantissa)
{
	size_t letter = 0;
	while (letter < mantissa->len && (mantissa->ptr[letter] | 0x20) != 'e')
		letter++;
	if (letter < mantissa->len) {
		struct slice exponent = skip_bytes(*mantissa, letter + 1);
		number->exponent_negative = exponent.len && exponent.ptr[0] == '-';
		if (exponent.len && !is_digit(exponent.ptr[0]))
			exponent = skip_bytes(exponent, 1);
		number->exponent = exponent;
		mantissa->len = letter;
	}
}

static struct decimal take_apart(struct slice text)
{
	struct decimal number = {.sign = 1};
	size_t first = 0;
	if (text.len && text.ptr[0] == '-') {
		number.sign = -1;
		text = skip_bytes(text, 1);
	}
	take_exponent(&number, &text);
	size_t point = 0;
	while (point < text.len && text.ptr[point] != '.')
		point++;
	while (first < text.len && (text.ptr[first] == '0' || text.ptr[first] == '.'))
		first++;
	if (first == text.len)
		return (struct decimal){.sign = 0};
	number.digits = skip_bytes(text, first);
	number.places = (int64_t)point - (int64_t)first + (first > point);
	return number;
}

/* The exponent's digit of that power of ten, with its sign. */
static int exponent_digit(const struct decimal *number, size_t power)
{
	if (power >= number->exponent.len)
		return 0;
	int digit = number->exponent.ptr[number->exponent.len - 1 - power] - '0';
	return number->exponent_negative ? -digit : digit;
}

/* The exponents can be of any length. Their difference is built from the highest digit down; once it is far from zero,
 * the lower digits only take it further. */
static int compare_exponents(const struct decimal *a, const struct decimal *b)
{
	size_t power = a->exponent.len > b->exponent.len ? a->exponent.len : b->exponent.len;
	int64_t difference = 0;
	while (power-- > 0) {
		difference = difference * 10 + exponent_digit(a, power) - exponent_digit(b, power);
		if (difference > EXPONENT_FAR || difference < -EXPONENT_FAR)
			return difference > 0 ? 1 : -1;
	}
	difference += a->places - b->places;
	return (difference > 0) - (difference < 0);
}

/* '0' behind the last digit. */
static char take_digit(struct slice *digits)
{
	if (digits->len && digits->ptr[0] == '.')
		*digits = skip_bytes(*digits, 1);
	if (!digits->len)
		return '0';
	char digit = digits->ptr[0];
	*digits = skip_bytes(*digits, 1);
	return digit;
}

static int compare_digits(struct slice a, struct slice b)
{
	while (a.len || b.len) {
		int difference = take_digit(&a) - take_digit(&b);
		if (difference)
			return difference > 0 ? 1 : -1;
	}
	return 0;
}

int json_number_compare(struct slice a, struct slice b)
{
	struct decimal left = take_apart(a), right = take_apart(b);
	if (left.sign != right.sign)
		return left.sign > right.sign ? 1 : -1;
	if (left.sign == 0)
		return 0;
	int order = compare_exponents(&left, &right);
	if (!order)
		order = compare_digits(left.digits, right.digits);
	return order * left.sign;
}
