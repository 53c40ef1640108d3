/* A reader is a cursor over the past: it gives, one by one and in order, the records behind its place that its filter wants. It
 * takes them from the ring while that reaches back far enough, else page by page from the streams of the sessions that its filter
 * names, merged (merge.h), or, where it names none or many, from the log. It never reads ahead of who pulls: the next page is
 * asked for when the former was used up, and one that nobody pulls from for a second or two is given up until then. The one mechanism behind since, slow and rate-limited clients, history over WebSocket and HTTP. Owned by one exchange, same thread.
 * Its place moves also over what the filter keeps out. */
#ifndef GATEWAY_SESSION_READER_H
#define GATEWAY_SESSION_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/protocol/log.h"
#include "gateway/filter/filter.h"
#include "gateway/history/page.h"

struct exchange;
struct reader;

#define READER_LOOKS 256 /* records that one call looks at, at the most */

enum reader_step {
	READER_RECORD, /* ret_record is the next, borrowed until the next call */
	READER_MORE,   /* much was looked at and kept out: ask again on another turn */
	READER_WAIT,   /* a page is on its way: on_ready comes */
	READER_GAP,    /* between gap_after and gap_before the log has lost something; told once, then ask again */
	READER_END,    /* the end of the range, or of the log as it is now (range.to RECORD_ID_MAX: the exchange's head) */
	READER_FAILED, /* reader_error() and reader_why() say why; asking again tries again */
};

typedef void reader_ready(struct reader *reader, void *context);

struct reader_range {
	struct record_id from; /* exclusive */
	struct record_id to;   /* inclusive; reverse: from > to. RECORD_ID_MAX while ascending: until the head, wherever it is by then */
	bool is_reverse;
};

/* filter: takes a reference. on_ready is never called inside a call of the reader. NULL: no memory. */
struct reader *reader_open(struct exchange *exchange, struct filter *filter, struct reader_range range, reader_ready *on_ready,
			   void *context) MUST_USE;
void reader_close(struct reader *reader); /* cancels what it asked for; frees; NULL is fine */

/* Says what reader_next() would, without going on: READER_MORE: there is something to look at, or the end; READER_GAP,
 * READER_WAIT and READER_FAILED as there. Asks for a page where one is needed. */
enum reader_step reader_peek(struct reader *reader);
enum reader_step reader_next(struct reader *reader, const struct record **ret_record);
struct record_id reader_place(const struct reader *reader); /* everything up to here is decided */
void reader_let_go(struct reader *reader); /* gives up the pages that are at hand now */
/* Where the log stood when the last page was read; epoch 0: none was. */
struct log_position reader_log(const struct reader *reader);
struct record_id reader_gap_after(const struct reader *reader);
struct record_id reader_gap_before(const struct reader *reader); /* the next id that there is; zero: not known */
enum err reader_error(const struct reader *reader);
const char *reader_why(const struct reader *reader);

#endif
