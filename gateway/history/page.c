#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/history/page.h"
#include "gateway/history/page_make.h"

struct page *page_ref(struct page *page)
{
	refcount_take(&page->refs);
	return page;
}

void page_unref(struct page *page)
{
	if (!page || !refcount_drop(&page->refs))
		return;
	for (size_t i = 0; i < page->count; i++)
		record_unref(page->records[i]);
	free(page);
}

struct page *page_make(const struct intake_fields *fields, const struct log_entry *entries, size_t count,
                       struct slice session)
{
	uint64_t received_ns = clock_mono_ns();
	struct page *page = calloc(1, sizeof *page + count * sizeof(struct record *));
	if (!page)
		return NULL;
	refcount_init(&page->refs);
	for (size_t i = 0; i < count; i++) {
		struct record *record =
		    intake_record(fields, entries[i].channel, entries[i].payload, entries[i].id.ms, received_ns);
		if (!record) {
			page_unref(page);
			return NULL;
		}
		if (session.len && !slice_equal(record->session, session)) {
			record_unref(record);
			continue;
		}
		record_stamp(record, entries[i].id);
		page->records[page->count++] = record;
	}
	return page;
}

size_t page_bytes(const struct page *page)
{
	size_t bytes = sizeof *page + page->count * sizeof(struct record *);
	for (size_t i = 0; i < page->count; i++)
		bytes += sizeof(struct record) + RECORD_ID_ROOM + page->records[i]->element.len;
	return bytes;
}
