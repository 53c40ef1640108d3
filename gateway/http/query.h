/* The query of a request target as names and values: application/x-www-form-urlencoded as the WHATWG URL standard writes
 * it, so "+" is a space, but read strictly: an escape that is none, %00, bytes that are not UTF-8 and a name given twice are
 * refused. Pure; nothing is allocated. */
#ifndef GATEWAY_HTTP_QUERY_H
#define GATEWAY_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define QUERY_PARAMETERS_MAX 32

struct query {
	struct {
		struct slice name, value; /* decoded */
	} parameters[QUERY_PARAMETERS_MAX];
	size_t count;
};

/* Decodes into storage, which holds at least text.len bytes and lives as long as the query. ERR_INVALID, ERR_LIMIT: ret_why is
 * a static sentence. */
enum err query_read(struct slice text, char *storage, struct query *ret_query, const char **ret_why) MUST_USE;
/* False: there is none of that name. "a" and "a=" have an empty value. */
bool query_get(const struct query *query, const char *name, struct slice *ret_value);

#endif
