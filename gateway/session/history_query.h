/* What a request for history asks for, before anything is read: its fields as a filter and a range. The same rules for the op
 * "history" and for GET /v1/history. Pure; the exchange's thread. */
#ifndef GATEWAY_SESSION_HISTORY_QUERY_H
#define GATEWAY_SESSION_HISTORY_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/protocol/value.h"
#include "gateway/filter/filter.h"
#include "gateway/session/reader.h"

#define HISTORY_LIMIT_DEFAULT 1000
#define HISTORY_LIMIT_MAX 100000
#define HISTORY_CHUNK_DEFAULT 500

struct grants;

struct history_query {
	struct filter *filter; /* a reference; NULL: nothing can match */
	struct reader_range range;
	bool is_empty;         /* nothing lies in the range */
	bool is_reset;         /* "after" is a cursor of another log than there is */
	bool is_from_start;    /* no start was named: what the log has lost before its first event is not missed */
	size_t limit, chunk;   /* events in all, and in one chunk */
	uint64_t epoch;        /* of the log as this node knows it, for cursors; 0: it knows none */
};

struct history_error {
	const char *code;  /* static: "bad_request" "bad_filter" "not_allowed" "no_history" "internal" */
	char message[320]; /* names the field */
};

/* body: the request's fields (session, channels, filter, from, to, after, limit, reverse, chunk); grants: of who asks, to which the
 * filter is narrowed. ERR_INVALID, ERR_DENIED, ERR_UNSUPPORTED, ERR_NOMEM: ret_error is set. */
enum err history_query_of(const struct exchange *exchange, const struct grants *grants, struct arena *arena, const struct value *body,
			  struct history_query *ret_query, struct history_error *ret_error) MUST_USE;

#endif
