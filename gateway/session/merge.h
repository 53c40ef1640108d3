/* A merge reads the streams of a few sessions side by side and gives what they hold as pages in the order of the log, as if there
 * were a stream of them all. It holds one page of each stream at the most, and asks for the next of a stream when what the
 * merged pages gave has used that one up. Owned by a reader, same thread. */
#ifndef GATEWAY_SESSION_MERGE_H
#define GATEWAY_SESSION_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "gateway/history/page.h"

#define MERGE_STREAMS_MAX 16

struct exchange;
struct merge;

/* page: a reference that is given; NULL: error and why say why. Never called inside a call of the merge. */
typedef void merge_answered(void *context, struct page *page, enum err error, const char *why);

/* The names live as long as the merge. NULL: no memory. */
struct merge *merge_new(struct exchange *exchange, const struct slice *sessions, size_t count, merge_answered *on_answer,
			void *context) MUST_USE;
void merge_free(struct merge *merge); /* cancels what it asked for; NULL is fine */

/* The page that follows query.from, of all streams; query.session is not looked at. from never goes back, the rest stays as it is. OK:
 * ret_page is a reference, or NULL and on_answer comes. An error: no answer comes. */
enum err merge_ask(struct merge *merge, const struct page_query *query, struct page **ret_page) MUST_USE;
bool merge_is_waiting(const struct merge *merge);
void merge_cancel(struct merge *merge);
void merge_let_go(struct merge *merge); /* cancels, and gives up the pages that it holds */
/* Of the last page, which is trimmed: everything that was lost was before this; zero: not known. */
struct record_id merge_lost_before(const struct merge *merge);

#endif
