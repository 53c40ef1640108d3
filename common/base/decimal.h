/* Whole numbers in decimal digits, without a sign. Pure. */
#ifndef COMMON_BASE_DECIMAL_H
#define COMMON_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"

/* False unless the text is decimal digits only that mean at most max. */
static inline bool decimal_read(struct slice text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned char)text.ptr[i] - (unsigned)'0';
		if (digit > 9 || number > (max - digit) / 10 || digit > max)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

#define DECIMAL_DIGITS_MAX 20 /* of 64 bits */

/* At most DECIMAL_DIGITS_MAX bytes, no NUL; gives their number. */
static inline size_t decimal_write(char *out, uint64_t number)
{
	char reversed[DECIMAL_DIGITS_MAX];
	size_t count = 0;
	do {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	for (size_t i = 0; i < count; i++)
		out[i] = reversed[count - 1 - i];
	return count;
}

#endif
