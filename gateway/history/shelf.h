/* A shelf keeps pages for a while for those who ask next for the same piece. A piece that only one has asked for yet is
 * remembered without its page: one client that reads far back alone costs no memory here, and from the second on all share.
 * Bounded by memory, number and time; the oldest go first. Owned by one thread; private to the room. */
#ifndef GATEWAY_HISTORY_SHELF_H
#define GATEWAY_HISTORY_SHELF_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/list.h"
#include "gateway/history/page.h"
#include "gateway/history/scope.h"

struct shelf {
	struct list pages; /* oldest first */
	size_t count;
	size_t bytes, bytes_max;
	uint64_t kept_ns;
};

void shelf_init(struct shelf *shelf, size_t bytes_max, uint64_t kept_ns);
void shelf_clear(struct shelf *shelf);

/* Takes a reference of its own, unless the page is too large or there is no memory; page NULL: only that it was read. session
 * is copied. */
void shelf_put(struct shelf *shelf, struct slice session, const struct scope *scope, struct page *page, uint64_t now_ns);
/* Borrowed; NULL: not here. ret_was_read: the piece was read a moment ago, be its page here or not. */
struct page *shelf_find(const struct shelf *shelf, const struct page_query *query, uint64_t now_ns, bool *ret_was_read);
uint64_t shelf_tick(struct shelf *shelf, uint64_t now_ns); /* drops what is old; gives when the next will be, UINT64_MAX: none */

#endif
