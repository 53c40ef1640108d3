/* A query as the request of the protocol that means the same: lists with commas become arrays, "where" is read as JSON, so that a path
 * and an op refuse the same things with the same words. Private to this room. */
#ifndef GATEWAY_HTTP_WISH_H
#define GATEWAY_HTTP_WISH_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/protocol/value.h"
#include "gateway/http/api.h"

/* A parameter of HEAD_TARGET_MAX bytes that is all commas, or JSON of as many brackets, as a tree. */
#define WISH_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct wish {
	struct arena *arena;
	struct value *map, *filter; /* of the request; NULL: no memory */
};

void wish_begin(struct wish *wish, struct arena *arena);
/* All these do nothing where the query has no such parameter. */
void wish_put_text(struct wish *wish, const struct query *query, const char *name);
void wish_put_list(struct wish *wish, const struct query *query, const char *name);
void wish_put_filter_list(struct wish *wish, const struct query *query, const char *name);
bool wish_put_where(struct wish *wish, const struct api_request *request); /* false: answered */
/* Puts the filter into the map. False: answered, there is no memory. */
bool wish_end(struct wish *wish, const struct api_request *request);

#endif
