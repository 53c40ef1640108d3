/* Makes pages of what Redis gave. Private to the room. */
#ifndef GATEWAY_HISTORY_PAGE_MAKE_H
#define GATEWAY_HISTORY_PAGE_MAKE_H

#include "gateway/feed/intake.h"
#include "gateway/history/page.h"

/* Records with their ids, in the order of the entries; only those of one session unless it is empty. What the page says
 * of the stream is the caller's to fill in. NULL: no memory. */
struct page *page_make(const struct intake_fields *fields, const struct log_entry *entries, size_t count,
                       struct slice session) MUST_USE;
size_t page_bytes(const struct page *page); /* memory that it holds, about */

#endif
