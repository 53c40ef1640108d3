/* A scope says for which queries a page may stand in. It is what makes sharing safe: a page that ended where the stream
 * ended says nothing of what came since, and what one reader has lost another one may not have. Pure; private to the room. */
#ifndef GATEWAY_HISTORY_SCOPE_H
#define GATEWAY_HISTORY_SCOPE_H

#include <stdbool.h>

#include "gateway/history/page.h"

struct scope {
	bool is_reverse;
	struct record_id from, to; /* of the read */
	struct record_id reached;  /* as in the page */
	bool is_exhausted;         /* it found all there was in its range, up to the end of the range or of the stream */
	bool is_settled;           /* nothing can come any more into what it found */
	bool is_trimmed;
	/* Ascending: a reader has lost nothing from solid on, and has lost something before lost. */
	struct record_id solid, lost;
	struct record_id newest;   /* descending: nothing was there between from and this */
};

/* Where a lies in the order of reading: < 0 before b, 0 the same, > 0 behind b. */
int scope_compare(bool is_reverse, struct record_id a, struct record_id b);
/* Same direction and stream are given. was_asked_before: the question was there when the read was sent. */
bool scope_serves(const struct scope *scope, const struct page_query *query, bool was_asked_before);

#endif
