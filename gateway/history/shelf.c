#include "gateway/history/shelf.h"

#include <stdlib.h>

#include "gateway/history/page_make.h"

#define PAGES_MAX 512 /* they are searched one by one */

struct kept {
	struct list link;
	struct page *page; /* a reference; NULL: remembered only */
	struct scope scope;
	size_t bytes;
	uint64_t until_ns;
	size_t session_len;
	char session[];
};

void shelf_init(struct shelf *shelf, size_t bytes_max, uint64_t kept_ns)
{
	list_init(&shelf->pages);
	shelf->count = 0;
	shelf->bytes = 0;
	shelf->bytes_max = bytes_max;
	shelf->kept_ns = kept_ns;
}

static struct kept *kept_of(struct list *link)
{
	return LIST_ENTRY(link, struct kept, link);
}

static void drop_oldest(struct shelf *shelf)
{
	struct kept *kept = kept_of(shelf->pages.next);
	shelf->bytes -= kept->bytes;
	shelf->count--;
	list_remove(&kept->link);
	page_unref(kept->page);
	free(kept);
}

void shelf_clear(struct shelf *shelf)
{
	while (!list_is_empty(&shelf->pages))
		drop_oldest(shelf);
}

void shelf_put(struct shelf *shelf, struct slice session, const struct scope *scope, struct page *page, uint64_t now_ns)
{
	size_t bytes = sizeof(struct kept) + session.len + (page ? page_bytes(page) : 0);
	if (bytes > shelf->bytes_max)
		return;
	struct kept *kept = malloc(sizeof *kept + session.len);
	if (!kept)
		return;
	kept->page = page ? page_ref(page) : NULL;
	kept->scope = *scope;
	kept->bytes = bytes;
	kept->until_ns = now_ns + shelf->kept_ns;
	kept->session_len = session.len;
	if (session.len)
		memcpy(kept->session, session.ptr, session.len);
	while (shelf->bytes + bytes > shelf->bytes_max || shelf->count == PAGES_MAX)
		drop_oldest(shelf);
	list_append(&shelf->pages, &kept->link);
	shelf->bytes += bytes;
	shelf->count++;
}

struct page *shelf_find(const struct shelf *shelf, const struct page_query *query, uint64_t now_ns, bool *ret_was_read)
{
	for (struct list *at = shelf->pages.prev; at != &shelf->pages; at = at->prev) {
		const struct kept *kept = kept_of(at);
		if (kept->until_ns <= now_ns)
			break;
		if (kept->scope.is_reverse != query->is_reverse ||
		    !slice_equal((struct slice){kept->session, kept->session_len}, query->session) ||
		    !scope_serves(&kept->scope, query, false))
			continue;
		*ret_was_read = true;
		if (kept->page)
			return kept->page;
	}
	return NULL;
}

uint64_t shelf_tick(struct shelf *shelf, uint64_t now_ns)
{
	while (!list_is_empty(&shelf->pages) && kept_of(shelf->pages.next)->until_ns <= now_ns)
		drop_oldest(shelf);
	return list_is_empty(&shelf->pages) ? UINT64_MAX : kept_of(shelf->pages.next)->until_ns;
}
