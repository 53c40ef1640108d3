/* The least that reads what Redis pushes: arrays of bulk strings and integers, in place. Trusts Redis. */
#ifndef TESTS_BENCH_RESP_H
#define TESTS_BENCH_RESP_H

#include <stddef.h>

#include "common/base/slice.h"

#define RESP_ITEMS_MAX 4

struct resp_array {
	struct slice items[RESP_ITEMS_MAX];
	size_t count;
	size_t len; /* of the whole array, in bytes */
};

/* False: the array at the front of bytes is not complete yet. */
bool resp_read(struct slice bytes, struct resp_array *ret_array);

#endif
