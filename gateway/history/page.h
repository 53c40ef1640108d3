/* A page is a piece of the past as one read of Redis gave it: records of the log or of one session's stream, parsed once,
 * immutable, counted, shared by every client that reads the same piece. Any thread may hold a reference. */
#ifndef GATEWAY_HISTORY_PAGE_H
#define GATEWAY_HISTORY_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/refcount.h"
#include "common/base/slice.h"
#include "common/protocol/log.h"
#include "common/protocol/record.h"

#define SESSION_STREAM_BYTES_MAX 512 /* a session of a longer name has no stream of its own (log.lua) */

/* Ascending: entries with from < id <= to. Descending (reverse): from > id >= to, newest first. */
struct page_query {
	struct slice session;  /* its stream; empty: the log */
	bool is_reverse;
	struct record_id from; /* exclusive */
	struct record_id to;   /* inclusive */
};

struct page {
	struct refcount refs;
	bool is_reverse;
	struct record_id from;   /* as asked, or of a wider page that serves the query: skip what is not wanted */
	struct record_id reached; /* everything between from and reached that the stream holds is here */
	bool is_last;            /* reached is the query's end or there was nothing more in the stream */
	/* Between from and the first entry here something was in the stream that it holds no more (ascending only). */
	bool is_trimmed;
	struct log_position log; /* where the log stood at the time of the read, at the latest */
	size_t count;
	struct record *records[]; /* owned */
};

struct page *page_ref(struct page *page);
void page_unref(struct page *page); /* NULL is fine */

#endif
