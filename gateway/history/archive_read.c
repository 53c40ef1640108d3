#include "common/base/clock.h"
#include "gateway/history/archive_inside.h"
#include "gateway/history/page_make.h"
#include "gateway/history/trim.h"
#include "gateway/metrics/metrics.h"

/* A range that ends so far behind now ends, for all we know, where the stream ends. */
#define FUTURE_MS UINT64_C(60000)

static bool is_open(const struct page_query *query)
{
	uint64_t now_ms = clock_wall_ms();
	return !query->is_reverse && query->to.ms > now_ms && query->to.ms - now_ms > FUTURE_MS;
}

static bool is_from_start(const struct page_query *query)
{
	return !query->is_reverse && record_id_is_zero(query->from);
}

/* Two queries that one read could answer, if it reached far enough. */
static bool are_akin(const struct page_query *a, const struct page_query *b)
{
	return a->is_reverse == b->is_reverse && is_open(a) == is_open(b) && is_from_start(a) == is_from_start(b) &&
	       slice_equal(a->session, b->session);
}

static uint64_t distance_ms(struct record_id a, struct record_id b)
{
	return a.ms > b.ms ? a.ms - b.ms : b.ms - a.ms;
}

/* Whether the inquiry would take its chance with a read that begins there. */
static bool accepts(const struct inquiry *inquiry, struct record_id from)
{
	struct record_id own = inquiry->question->page.from;
	if (record_id_compare(own, from) == 0 || inquiry->misses == 0)
		return true;
	return inquiry->misses == 1 && distance_ms(own, from) <= inquiry->reach_ms / 2;
}

static bool can_join(const struct page_query *query, const struct inquiry *inquiry)
{
	const struct page_query *own = &inquiry->question->page;
	return are_akin(query, own) && scope_compare(own->is_reverse, query->from, own->from) <= 0 &&
	       scope_compare(own->is_reverse, own->from, query->to) < 0 && accepts(inquiry, query->from);
}

bool archive_join_under_way(struct archive *archive, struct inquiry *inquiry)
{
	if (inquiry->is_late)
		return false;
	LIST_FOREACH(&archive->readings, at, following)
	{
		struct reading *reading = LIST_ENTRY(at, struct reading, link);
		if (reading->kind == QUESTION_PAGE && reading->awaits_page && !reading->is_through_log &&
		    can_join(&reading->query, inquiry)) {
			archive_join(reading, inquiry);
			return true;
		}
	}
	return false;
}

struct gathering {
	struct archive *archive;
	struct inquiry *first; /* whose turn it is */
	struct page_query query;
	struct reading *reading;
};

static const struct inquiry *waiting_page(struct line_item *item)
{
	const struct inquiry *inquiry = LIST_ENTRY(item, struct inquiry, item);
	return inquiry->question->kind == QUESTION_PAGE ? inquiry : NULL;
}

static void widen(struct line_item *item, void *context)
{
	struct gathering *gathering = context;
	const struct inquiry *waiting = waiting_page(item);
	if (!waiting)
		return;
	const struct page_query *other = &waiting->question->page;
	if (are_akin(&gathering->query, other) &&
	    scope_compare(other->is_reverse, other->from, gathering->query.from) < 0 &&
	    scope_compare(other->is_reverse, gathering->first->question->page.from, other->to) < 0 &&
	    accepts(gathering->first, other->from))
		gathering->query.from = other->from;
}

static void gather(struct line_item *item, void *context)
{
	struct gathering *gathering = context;
	struct page_query *query = &gathering->reading->query;
	if (!waiting_page(item))
		return;
	struct inquiry *inquiry = LIST_ENTRY(item, struct inquiry, item);
	if (!can_join(query, inquiry))
		return;
	line_leave(&gathering->archive->pages, item);
	archive_join(gathering->reading, inquiry);
	if (scope_compare(query->is_reverse, inquiry->question->page.to, query->to) > 0)
		query->to = inquiry->question->page.to;
}

static struct pace *pace_of(struct archive *archive, const struct reading *reading)
{
	bool is_session = reading->query.session.len && !reading->is_through_log;
	return is_session ? &archive->session_pace : &archive->log_pace;
}

static void inspect(struct archive *archive, struct reading *reading, struct slice session)
{
	reading->awaits_facts = true;
	enum err error = archive->ops.inspect(archive->context, reading->ticket, session);
	if (error)
		archive_fail(archive, reading, error, NULL);
}

static void send_read(struct archive *archive, struct reading *reading)
{
	struct page_query query = reading->query;
	bool is_session = query.session.len && !reading->is_through_log;
	if (reading->is_through_log) {
		query.session = SLICE_NONE;
		query.to = reading->log_to;
	}
	metric_add(is_session ? METRIC_SESSION_READS : METRIC_LOG_READS, 1);
	reading->count = pace_of(archive, reading)->entries;
	reading->awaits_page = true;
	enum err error = archive->ops.read(archive->context, reading->ticket, &query, reading->count);
	if (error)
		archive_fail(archive, reading, error, NULL);
	else if (is_session && !query.is_reverse && !record_id_is_zero(query.from))
		inspect(archive, reading, query.session);
}

void archive_read_page(struct archive *archive, struct inquiry *inquiry)
{
	struct gathering gathering = {archive, inquiry, inquiry->question->page, NULL};
	struct reading *reading = archive_begin(archive, QUESTION_PAGE, gathering.query.session.len);
	if (!reading) {
		archive_answer(archive, inquiry, ERR_NOMEM, NULL, NULL);
		return;
	}
	line_each(&archive->pages, widen, &gathering);
	gathering.reading = reading;
	reading->query = gathering.query;
	if (reading->query.session.len)
		memcpy(reading->bytes, reading->query.session.ptr, reading->query.session.len);
	reading->query.session.ptr = reading->bytes;
	reading->is_open = is_open(&reading->query);
	reading->sent = ++archive->sent;
	reading->log = archive->log;
	archive_join(reading, inquiry);
	line_each(&archive->pages, gather, &gathering);
	if (reading->is_open)
		reading->query.to = RECORD_ID_MAX;
	send_read(archive, reading);
}

static void keep_pace(const struct archive_settings *settings, struct pace *pace, const struct log_entry *entries,
                      size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += entries[i].channel.len + entries[i].payload.len;
	if (bytes == 0)
		return;
	uint64_t entries_next = (uint64_t)settings->page_bytes * count / bytes;
	size_t most = pace->entries < settings->page_entries / 2 ? 2 * pace->entries : settings->page_entries;
	pace->entries = entries_next < most ? (size_t)entries_next : most;
	if (pace->entries == 0)
		pace->entries = 1;
}

/* Whether the page came from the log although a session was asked for, and ends where the session's stream begins. */
static bool ends_before_stream(const struct reading *reading)
{
	return reading->is_through_log && reading->page != reading->own &&
	       record_id_compare(reading->log_to, reading->query.to) != 0;
}

static struct scope scope_of(const struct reading *reading)
{
	const struct page *page = reading->page;
	bool is_log = !reading->query.session.len || reading->is_through_log;
	struct scope scope = {
	    .is_reverse = page->is_reverse,
	    .from = page->from,
	    .to = reading->query.to,
	    .reached = page->reached,
	    .is_exhausted = page->is_last,
	    .is_settled = !reading->is_open && record_id_compare(reading->query.to, page->log.last) <= 0,
	    .is_trimmed = page->is_trimmed,
	    .solid = page->from,
	    .lost = is_log && !reading->own && reading->has_first ? reading->first.before : page->from,
	    .newest = reading->has_first ? reading->first.id : (struct record_id){0},
	};
	if (is_from_start(&reading->query)) {
		scope.solid = RECORD_ID_MAX;
		if (reading->has_first)
			scope.solid = is_log ? reading->first.before : reading->first.id;
	}
	return scope;
}

static void miss(struct archive *archive, struct inquiry *inquiry, const struct page *page)
{
	list_remove(&inquiry->item.link);
	inquiry->reading = NULL;
	if (page->is_last) {
		inquiry->is_late = true;
	} else {
		inquiry->misses++;
		inquiry->reach_ms = distance_ms(page->reached, page->from);
	}
	if (line_rejoin(&archive->pages, inquiry->question->asker, &inquiry->item) != OK)
		archive_answer(archive, inquiry, ERR_NOMEM, NULL, NULL);
}

/* Gives whether more than one wants the page. */
static bool hand_out(struct archive *archive, struct reading *reading, const struct scope *scope)
{
	uint64_t served = 0;
	bool is_shared = false;
	LIST_FOREACH(&reading->inquiries, at, following)
	{
		struct inquiry *inquiry = LIST_ENTRY(at, struct inquiry, item.link);
		if (!scope_serves(scope, &inquiry->question->page, inquiry->asked < reading->sent)) {
			miss(archive, inquiry, reading->page);
			continue;
		}
		is_shared |= inquiry->is_second || served > 0;
		served++;
		archive_answer(archive, inquiry, OK, NULL, reading->page);
	}
	metric_add(METRIC_PAGES_SHARED, served > 1 ? served - 1 : 0);
	return is_shared;
}

static void finish(struct archive *archive, struct reading *reading, bool is_trimmed)
{
	struct page *page = reading->page;
	page->is_reverse = reading->query.is_reverse;
	page->from = reading->query.from;
	page->reached = reading->reached;
	page->is_last = reading->is_exhausted && !ends_before_stream(reading);
	page->is_trimmed = is_trimmed;
	page->log = reading->log;
	if (page->count) {
		/* What was found had been there before: the log stood at least so far. */
		struct record_id newest = page->records[page->is_reverse ? 0 : page->count - 1]->id;
		if (record_id_compare(newest, page->log.last) > 0)
			page->log.last = newest;
		if (page->log.epoch == archive->log.epoch)
			archive_position(archive, &page->log);
	}
	struct scope scope = scope_of(reading);
	bool is_shared = hand_out(archive, reading, &scope);
	if (page->log.epoch == archive->log.epoch && (scope.is_reverse || !scope.is_exhausted || scope.is_settled))
		shelf_put(&archive->shelf, reading->query.session, &scope, is_shared ? page : NULL, clock_mono_ns());
	archive_end(archive, reading);
}

/* The session's stream may have lost something that the log still has: from there it is read then, up to where the
 * stream begins. */
static void turn_to_log(struct archive *archive, struct reading *reading)
{
	reading->own = reading->page;
	reading->own_reached = reading->reached;
	reading->is_own_exhausted = reading->is_exhausted;
	reading->page = NULL;
	reading->is_through_log = true;
	reading->has_facts = false;
	reading->log_to = reading->query.to;
	if (reading->facts.exists && reading->facts.length &&
	    record_id_compare(reading->facts.first, reading->log_to) < 0)
		reading->log_to = reading->facts.first;
	send_read(archive, reading);
}

static void turn_back(struct reading *reading)
{
	page_unref(reading->page);
	reading->page = page_ref(reading->own);
	reading->reached = reading->own_reached;
	reading->is_exhausted = reading->is_own_exhausted;
}

static void judge(struct archive *archive, struct reading *reading)
{
	struct record_id from = reading->query.from;
	if (reading->awaits_page || reading->awaits_facts)
		return;
	if (reading->query.is_reverse || record_id_is_zero(from)) {
		finish(archive, reading, false);
		return;
	}
	if (reading->query.session.len && !reading->is_through_log) {
		if (trim_of_session(from, &reading->facts, archive->settings.session_idle_ms, clock_wall_ms()) ==
		    TRIM_LOST)
			turn_to_log(archive, reading);
		else
			finish(archive, reading, false);
		return;
	}
	enum trim trim =
	    trim_of_log(from, reading->has_first ? &reading->first : NULL, reading->has_facts ? &reading->facts : NULL);
	if (trim == TRIM_ASK) {
		inspect(archive, reading, SLICE_NONE);
		return;
	}
	/* A log that is gone knows nothing better than the stream. */
	if (reading->is_through_log && reading->has_facts && !reading->facts.exists)
		trim = TRIM_LOST;
	if (trim == TRIM_LOST && reading->is_through_log)
		turn_back(reading);
	finish(archive, reading, trim == TRIM_LOST);
}

static void note_what_came(struct reading *reading, const struct log_entry *entries, size_t count)
{
	struct record_id to = reading->is_through_log ? reading->log_to : reading->query.to;
	bool is_endless = record_id_compare(to, RECORD_ID_MAX) == 0;
	reading->is_exhausted = count < reading->count;
	if (!reading->is_exhausted || (is_endless && count))
		reading->reached = entries[count - 1].id;
	else
		reading->reached = is_endless ? reading->query.from : to;
	reading->has_first = count > 0;
	if (count) {
		reading->first = entries[0];
		reading->first.channel = reading->first.payload = SLICE_NONE;
	}
}

void archive_read_came(struct archive *archive, struct reading *reading, const struct log_entry *entries, size_t count)
{
	reading->awaits_page = false;
	if (list_is_empty(&reading->inquiries)) { /* all are gone */
		archive_end(archive, reading);
		return;
	}
	struct slice wanted = reading->is_through_log ? reading->query.session : SLICE_NONE;
	reading->page = page_make(&archive->settings.fields, entries, count, wanted);
	if (!reading->page) {
		archive_fail(archive, reading, ERR_NOMEM, NULL);
		return;
	}
	keep_pace(&archive->settings, pace_of(archive, reading), entries, count);
	note_what_came(reading, entries, count);
	judge(archive, reading);
}

void archive_facts_came(struct archive *archive, struct reading *reading, const struct stream_facts *facts)
{
	reading->awaits_facts = false;
	reading->facts = *facts;
	reading->has_facts = true;
	judge(archive, reading);
}
