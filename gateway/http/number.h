/* Whole numbers in queries. Pure. */
#ifndef GATEWAY_HTTP_NUMBER_H
#define GATEWAY_HTTP_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

/* False unless the text is decimal digits only that mean at most max. */
static inline bool number_read(struct slice text, uint64_t max, uint64_t *ret_number)
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

#endif
