/* Reads an event stream as the WHATWG HTML standard says ("Interpreting an event stream"), to the letter and from pieces of any
 * size: what an EventSource would dispatch, its last event ID, and what it would not show: comments and the reconnection
 * time. Used by one thread. */
#ifndef TESTS_SUPPORT_SSE_READER_H
#define TESTS_SUPPORT_SSE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/data/buf.h"

struct sse_reader {
	struct buf input; /* not looked at yet */
	size_t at;
	bool has_begun, skips_lf;
	struct buf line, data, type, id; /* the buffers of the standard */
	struct buf last_id;              /* the last event ID string */
	struct buf given_data, given_type;
	uint64_t retry_ms; /* UINT64_MAX: not said */
	size_t comments;
	size_t blocks;     /* ended by an empty line, dispatched or not */
};

struct sse_message { /* valid until the next call */
	struct slice type, data, last_id;
};

void sse_reader_init(struct sse_reader *reader);
void sse_reader_fini(struct sse_reader *reader);
void sse_reader_feed(struct sse_reader *reader, struct slice bytes);
/* The next message that is dispatched. False: more bytes are needed. */
bool sse_reader_next(struct sse_reader *reader, struct sse_message *ret_message);

#endif
