#include "tests/bench/resp.h"

#include <errno.h>

#include "tests/bench/net.h"

/* Reads "<mark><number>\r\n" and moves at behind it. False: not complete. */
static bool read_line(const char **at, const char *end, char *ret_mark, size_t *ret_number)
{
	const char *p = *at;
	size_t number = 0;
	if (p == end)
		return false;
	char mark = *p++;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		number = number * 10 + (size_t)(*p - '0');
	if (end - p < 2)
		return false;
	if (*p != '\r') {
		errno = 0;
		die("Redis sent what the bench does not know: %c%c", mark, *p);
	}
	*ret_mark = mark;
	*ret_number = number;
	*at = p + 2;
	return true;
}

bool resp_read(struct slice bytes, struct resp_array *ret_array)
{
	const char *at = bytes.ptr, *end = at + bytes.len;
	char mark;
	size_t number;
	if (!read_line(&at, end, &mark, &number))
		return false;
	ret_array->count = number < RESP_ITEMS_MAX ? number : RESP_ITEMS_MAX;
	for (size_t i = 0; i < ret_array->count; i++) {
		if (!read_line(&at, end, &mark, &number))
			return false;
		ret_array->items[i] = SLICE_NONE;
		if (mark != '$')
			continue;
		if ((size_t)(end - at) < number + 2)
			return false;
		ret_array->items[i] = (struct slice){at, number};
		at += number + 2;
	}
	ret_array->len = (size_t)(at - bytes.ptr);
	return true;
}
