#include "gateway/session/merge.h"

#include <stdlib.h>

#include "gateway/session/past.h"

struct stream {
	struct asker asker;
	struct merge *merge;
	struct slice session;
	struct page *page;      /* NULL: none is held */
	size_t at;              /* in page: what is in front is used up */
	struct record_id known; /* others held entries up to here when the page was asked for: it was read later */
	bool is_trim_told;
};

struct merge {
	merge_answered *on_answer;
	void *context;
	struct page_query query; /* as asked last */
	struct record_id lost_before;
	size_t count;
	struct stream streams[];
};

enum join { JOIN_OK, JOIN_ASK /* more of a stream is needed first */, JOIN_REPLACED, JOIN_NOMEM };

/* In the direction of reading. */
static bool is_ahead(const struct merge *merge, struct record_id of, struct record_id id)
{
	return merge->query.is_reverse ? record_id_is_before(id, of) : record_id_is_before(of, id);
}

static void drop_page(struct stream *stream)
{
	page_unref(stream->page);
	stream->page = NULL;
	stream->at = 0;
}

static struct record_id newest_in(const struct page *page)
{
	if (page->count == 0)
		return (struct record_id){0};
	return page->records[page->is_reverse ? 0 : page->count - 1]->id;
}

/* Everything between the place and this that the stream holds is in the page. What ends its stream knows of all that the log
 * held when it was read. */
static struct record_id reach_of(const struct stream *stream)
{
	const struct page *page = stream->page;
	const struct page_query *query = &stream->merge->query;
	if (!page->is_last)
		return page->reached;
	if (query->is_reverse)
		return query->to;
	struct record_id end = record_id_later(record_id_later(newest_in(page), page->log.last), stream->known);
	return record_id_is_before(query->to, end) ? query->to : end;
}

static bool is_needed(const struct stream *stream)
{
	return !stream->page || !is_ahead(stream->merge, stream->merge->query.from, reach_of(stream));
}

static void on_stream(struct asker *asker, struct answer *answer);

struct merge *merge_new(struct exchange *exchange, const struct slice *sessions, size_t count, merge_answered *on_answer,
			void *context)
{
	struct merge *merge = calloc(1, sizeof *merge + count * sizeof merge->streams[0]);
	if (!merge)
		return NULL;
	merge->on_answer = on_answer;
	merge->context = context;
	merge->count = count;
	for (size_t i = 0; i < count; i++) {
		merge->streams[i].merge = merge;
		merge->streams[i].session = sessions[i];
		asker_init(&merge->streams[i].asker, exchange, on_stream);
	}
	return merge;
}

void merge_free(struct merge *merge)
{
	if (!merge)
		return;
	merge_let_go(merge);
	free(merge);
}

bool merge_is_waiting(const struct merge *merge)
{
	for (size_t i = 0; i < merge->count; i++) {
		if (asker_is_waiting(&merge->streams[i].asker))
			return true;
	}
	return false;
}

void merge_cancel(struct merge *merge)
{
	for (size_t i = 0; i < merge->count; i++)
		asker_cancel(&merge->streams[i].asker);
}

void merge_let_go(struct merge *merge)
{
	merge_cancel(merge);
	for (size_t i = 0; i < merge->count; i++)
		drop_page(&merge->streams[i]);
}

struct record_id merge_lost_before(const struct merge *merge)
{
	return merge->lost_before;
}

static struct record_id newest_held(const struct merge *merge)
{
	struct record_id newest = {0};
	for (size_t i = 0; i < merge->count; i++) {
		if (merge->streams[i].page)
			newest = record_id_later(newest, newest_in(merge->streams[i].page));
	}
	return newest;
}

/* Asks for the next page of each stream that has nothing more to say. */
static enum err ask_needed(struct merge *merge)
{
	struct record_id known = newest_held(merge);
	for (size_t i = 0; i < merge->count; i++) {
		struct stream *stream = &merge->streams[i];
		if (!is_needed(stream))
			continue;
		struct page_query query = merge->query;
		query.session = stream->session;
		drop_page(stream);
		stream->known = known;
		stream->is_trim_told = false;
		enum err error = asker_ask(&stream->asker, question_new_page(0, &query));
		if (error != OK) {
			merge_cancel(merge);
			return error;
		}
	}
	return OK;
}

static const struct record *next_of(const struct stream *stream)
{
	return stream->at < stream->page->count ? stream->page->records[stream->at] : NULL;
}

static void skip_used_up(struct stream *stream)
{
	const struct merge *merge = stream->merge;
	for (const struct record *next; (next = next_of(stream)) && !is_ahead(merge, merge->query.from, next->id);)
		stream->at++;
}

/* The stream whose next record comes first, if that is not behind limit. */
static struct stream *first_of(struct merge *merge, struct record_id limit)
{
	struct stream *first = NULL;
	for (size_t i = 0; i < merge->count; i++) {
		struct stream *stream = &merge->streams[i];
		const struct record *next = next_of(stream);
		if (next && !is_ahead(merge, limit, next->id) && (!first || is_ahead(merge, next->id, next_of(first)->id)))
			first = stream;
	}
	return first;
}

static void note_losses(struct merge *merge, struct page *page)
{
	merge->lost_before = (struct record_id){0};
	bool is_known = true;
	for (size_t i = 0; i < merge->count; i++) {
		struct stream *stream = &merge->streams[i];
		if (!stream->page->is_trimmed || stream->is_trim_told)
			continue;
		const struct record *next = next_of(stream);
		page->is_trimmed = stream->is_trim_told = true;
		is_known = is_known && next;
		if (next)
			merge->lost_before = record_id_later(merge->lost_before, next->id);
	}
	if (!is_known)
		merge->lost_before = (struct record_id){0};
}

/* Up to where all pages together say what there is; and whether that is all. In reverse, what came while the pages were read is left
 * out: those that were read before have nothing from then. */
struct extent {
	struct record_id limit, top;
	struct log_position log; /* the earliest */
	size_t records;
	bool is_last, is_one_log;
};

static struct extent extent_of(struct merge *merge)
{
	struct extent extent = {.top = RECORD_ID_MAX, .is_last = true, .is_one_log = true};
	for (size_t i = 0; i < merge->count; i++) {
		struct stream *stream = &merge->streams[i];
		const struct page *page = stream->page;
		struct record_id reach = reach_of(stream), top = record_id_later(page->log.last, newest_in(page));
		skip_used_up(stream);
		extent.records += page->count - stream->at;
		extent.is_last = extent.is_last && page->is_last;
		extent.is_one_log = extent.is_one_log && page->log.epoch == merge->streams[0].page->log.epoch;
		if (i == 0 || is_ahead(merge, reach, extent.limit))
			extent.limit = reach;
		if (i == 0 || record_id_is_before(page->log.last, extent.log.last))
			extent.log = page->log;
		if (page->log.epoch && record_id_is_before(top, extent.top))
			extent.top = top;
	}
	return extent;
}

static bool holds_more(const struct merge *merge, struct record_id limit)
{
	for (size_t i = 0; i < merge->count; i++) {
		const struct page *page = merge->streams[i].page;
		if (page->count && is_ahead(merge, limit, page->records[page->count - 1]->id))
			return true;
	}
	return false;
}

static void collect(struct merge *merge, const struct extent *extent, struct page *page)
{
	size_t began[MERGE_STREAMS_MAX];
	for (size_t i = 0; i < merge->count; i++)
		began[i] = merge->streams[i].at;
	for (struct stream *first; (first = first_of(merge, extent->limit)); first->at++) {
		struct record *record = first->page->records[first->at];
		if (!merge->query.is_reverse || !record_id_is_before(extent->top, record->id))
			page->records[page->count++] = record_ref(record);
	}
	for (size_t i = 0; i < merge->count; i++)
		merge->streams[i].at = began[i]; /* used up when the next page is asked for, and not before */
}

static enum join join(struct merge *merge, struct page **ret_page)
{
	struct extent extent = extent_of(merge);
	if (!extent.is_one_log)
		return JOIN_REPLACED;
	extent.is_last = extent.is_last && !holds_more(merge, extent.limit);
	if (!extent.is_last && !is_ahead(merge, merge->query.from, extent.limit))
		return JOIN_ASK;
	struct page *page = calloc(1, sizeof *page + extent.records * sizeof(struct record *));
	if (!page)
		return JOIN_NOMEM;
	refcount_init(&page->refs);
	page->is_reverse = merge->query.is_reverse;
	page->from = merge->query.from;
	page->reached = extent.limit;
	page->is_last = extent.is_last;
	page->log = extent.log;
	collect(merge, &extent, page);
	note_losses(merge, page);
	*ret_page = page;
	return JOIN_OK;
}

/* With OK and no page more was asked for. */
static enum err make_page(struct merge *merge, struct page **ret_page)
{
	switch (join(merge, ret_page)) {
	case JOIN_OK:
		return OK;
	case JOIN_ASK:
		return ask_needed(merge);
	case JOIN_REPLACED:
		return ERR_AGAIN;
	default:
		return ERR_NOMEM;
	}
}

static void fail(struct merge *merge, enum err error, const char *why)
{
	merge_let_go(merge);
	merge->on_answer(merge->context, NULL, error, why);
}

static void on_stream(struct asker *asker, struct answer *answer)
{
	struct stream *stream = LIST_ENTRY(asker, struct stream, asker);
	struct merge *merge = stream->merge;
	if (answer->error != OK || !answer->page) {
		fail(merge, answer->error == OK ? ERR_IO : answer->error, answer->why);
		return;
	}
	stream->page = answer->page;
	answer->page = NULL;
	if (merge_is_waiting(merge))
		return;
	struct page *page = NULL;
	enum err error = make_page(merge, &page);
	if (error != OK)
		fail(merge, error, error == ERR_AGAIN ? "the log was replaced a moment ago" : "the gateway is out of memory");
	else if (page)
		merge->on_answer(merge->context, page, OK, NULL);
}

enum err merge_ask(struct merge *merge, const struct page_query *query, struct page **ret_page)
{
	merge->query = *query;
	*ret_page = NULL;
	enum err error = ask_needed(merge);
	if (error == OK && !merge_is_waiting(merge))
		error = make_page(merge, ret_page);
	if (error != OK)
		merge_let_go(merge);
	return error;
}
