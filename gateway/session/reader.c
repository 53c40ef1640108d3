#include "gateway/session/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/feed/ring.h"
#include "gateway/session/exchange_inside.h"
#include "gateway/session/merge.h"
#include "gateway/session/past.h"

/* Pages that nobody pulls from for as long are given up: they are read again when they are wanted. */
#define IDLE_NS NS_PER_S

struct reader {
	struct asker asker;   /* of the log, or of one session's stream */
	struct merge *merge;  /* of several sessions' streams; else NULL */
	struct slice session; /* empty: the log */
	struct filter *filter;
	struct record_id place, to;
	bool is_reverse, is_over;
	reader_ready *on_ready;
	void *context;
	struct record *given;     /* what was given last; a reference */
	uint64_t ring_place;      /* of the record behind place, if place is still in front of it */
	struct page *page;        /* NULL: none is at hand */
	struct alarm idle;        /* set while there may be a page */
	bool is_pulled;           /* since it was set */
	size_t at;                /* in page */
	struct record_id asked;   /* place when the page was asked for */
	bool is_at_last;          /* there was nothing more: said once, then the log is asked again */
	bool has_gap, has_failed; /* to be said */
	struct record_id gap_after, gap_before;
	enum err error;
	char why[128];
	struct log_position log;
};

static bool is_endless(const struct reader *reader)
{
	return !reader->is_reverse && record_id_compare(reader->to, RECORD_ID_MAX) == 0;
}

static const struct ring *ring_of(const struct reader *reader)
{
	return reader->asker.exchange->ring;
}

/* The ring holds what follows ring_start(), once the node knows its log. */
static bool has_ring(const struct reader *reader)
{
	return !reader->is_reverse && reader->asker.exchange->feed.log.epoch != 0;
}

static void fail(struct reader *reader, enum err error, const char *why)
{
	reader->has_failed = true;
	reader->error = error;
	snprintf(reader->why, sizeof reader->why, "%s", why);
}

static void drop_page(struct reader *reader)
{
	page_unref(reader->page);
	reader->page = NULL;
}

/* What follows the gap; zero: not known. Ids of the log are for everybody. One of a stream tells of an event there: who may not see
 * all is told it where he gets that event. */
static struct record_id end_of_gap(const struct reader *reader, struct record_id first)
{
	const struct page *page = reader->page;
	struct record_id before = reader->merge ? merge_lost_before(reader->merge) : first;
	bool is_log = !reader->merge && !reader->session.len, sees_all = filter_wish(reader->filter) == reader->filter;
	if (is_log || sees_all)
		return before;
	bool is_given = page->count && record_id_compare(before, first) == 0 && filter_match(reader->filter, page->records[0]);
	return is_given ? before : (struct record_id){0};
}

/* What the log has lost between the place and what is left. Where the ring reaches back further than the page, the ring
 * goes on. */
static void find_gap(struct reader *reader)
{
	const struct page *page = reader->page;
	struct record_id first = page->count ? page->records[0]->id : (struct record_id){0};
	if (reader->is_reverse || !page->is_trimmed || (page->count && !record_id_is_before(reader->place, first)))
		return;
	reader->has_gap = true;
	reader->gap_after = reader->place;
	reader->gap_before = end_of_gap(reader, first);
	struct record_id start = has_ring(reader) ? ring_start(ring_of(reader)) : (struct record_id){0};
	if (record_id_is_before(reader->place, start) && (!page->count || record_id_is_before(start, first))) {
		const struct record *next = ring_at(ring_of(reader), ring_find(ring_of(reader), start));
		reader->gap_before = next ? next->id : (struct record_id){0};
		reader->place = start;
		drop_page(reader);
	}
}

static bool is_ahead(const struct reader *reader, struct record_id id)
{
	return reader->is_reverse ? record_id_is_before(id, reader->place) : record_id_is_before(reader->place, id);
}

static void watch_idle(struct reader *reader)
{
	reader->is_pulled = false;
	exchange_set_alarm(reader->asker.exchange, &reader->idle, IDLE_NS);
}

static void on_idle(struct alarm *idle)
{
	struct reader *reader = LIST_ENTRY(idle, struct reader, idle);
	if (reader->is_pulled)
		watch_idle(reader);
	else
		reader_let_go(reader);
}

static void take_page(struct reader *reader, struct page *page)
{
	uint64_t epoch = reader->asker.exchange->feed.log.epoch;
	if (!alarm_is_set(&reader->idle))
		watch_idle(reader);
	reader->page = page;
	reader->at = 0;
	reader->log = page->log;
	if (epoch && page->log.epoch && page->log.epoch != epoch) {
		drop_page(reader);
		fail(reader, ERR_AGAIN, "the log was replaced a moment ago");
		return;
	}
	while (reader->at < page->count && !is_ahead(reader, page->records[reader->at]->id))
		reader->at++;
	find_gap(reader);
}

static void on_answer(struct asker *asker, struct answer *answer)
{
	struct reader *reader = LIST_ENTRY(asker, struct reader, asker);
	if (answer->error == OK && answer->page) {
		struct page *page = answer->page;
		answer->page = NULL;
		take_page(reader, page);
	} else {
		fail(reader, answer->error == OK ? ERR_IO : answer->error, answer->why);
	}
	reader->on_ready(reader, reader->context);
}

static void on_merged(void *context, struct page *page, enum err error, const char *why)
{
	struct reader *reader = context;
	if (page)
		take_page(reader, page);
	else
		fail(reader, error, why);
	reader->on_ready(reader, reader->context);
}

/* From where the filter's records are to be read: the streams of its sessions, unless those are too many, or too long for one. What
 * wants nothing reads nothing, so that nobody learns of streams that hold nothing for him.
 * False: no memory. */
static bool choose_source(struct reader *reader)
{
	struct slice sessions[MERGE_STREAMS_MAX];
	size_t count = 0;
	bool is_named = filter_sessions(reader->filter, sessions, MERGE_STREAMS_MAX, &count);
	for (size_t i = 0; i < count; i++)
		is_named = is_named && sessions[i].len <= SESSION_STREAM_BYTES_MAX;
	reader->is_over = is_named && count == 0;
	if (!is_named)
		return true;
	if (count == 1)
		reader->session = sessions[0];
	if (count > 1)
		reader->merge = merge_new(reader->asker.exchange, sessions, count, on_merged, reader);
	return count < 2 || reader->merge;
}

struct reader *reader_open(struct exchange *exchange, struct filter *filter, struct reader_range range, reader_ready *on_ready,
			   void *context)
{
	struct reader *reader = calloc(1, sizeof *reader);
	if (!reader)
		return NULL;
	asker_init(&reader->asker, exchange, on_answer);
	alarm_init(&reader->idle, on_idle);
	reader->filter = filter_ref(filter);
	reader->place = range.from;
	reader->to = range.to;
	reader->is_reverse = range.is_reverse;
	reader->on_ready = on_ready;
	reader->context = context;
	if (!choose_source(reader)) {
		reader_close(reader);
		return NULL;
	}
	return reader;
}

static bool is_waiting(const struct reader *reader)
{
	return reader->merge ? merge_is_waiting(reader->merge) : asker_is_waiting(&reader->asker);
}

static void cancel(struct reader *reader)
{
	if (reader->merge)
		merge_cancel(reader->merge);
	else
		asker_cancel(&reader->asker);
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	alarm_stop(&reader->idle);
	asker_cancel(&reader->asker);
	merge_free(reader->merge);
	record_unref(reader->given);
	drop_page(reader);
	filter_unref(reader->filter);
	free(reader);
}

static const char *why_not_asked(enum err error)
{
	if (error == ERR_UNSUPPORTED)
		return "this gateway keeps no history";
	return error == ERR_AGAIN ? "the log was replaced a moment ago" : "the gateway is out of memory";
}

/* Asks for what follows the place. READER_MORE: it is at hand. */
static enum reader_step ask(struct reader *reader)
{
	struct page_query query = {
		.session = reader->session, .is_reverse = reader->is_reverse, .from = reader->place, .to = reader->to};
	struct page *page = NULL;
	reader->asked = reader->place;
	enum err error = reader->merge ? merge_ask(reader->merge, &query, &page)
				       : asker_ask(&reader->asker, question_new_page(0, &query));
	if (page) {
		take_page(reader, page);
		return READER_MORE;
	}
	if (error == OK)
		return READER_WAIT;
	fail(reader, error, why_not_asked(error));
	reader->has_failed = false;
	return READER_FAILED;
}

/* The place moves to the end of the page. What was the last in its stream decides all that the log held by then, but what the ring
 * holds is left to it. */
static void finish_page(struct reader *reader)
{
	const struct page *page = reader->page;
	struct record_id end = page->reached;
	if (reader->is_reverse) {
		reader->place = end;
	} else {
		if (page->is_last)
			end = record_id_later(page->count ? page->records[page->count - 1]->id : reader->place, page->log.last);
		if (page->is_last && has_ring(reader) && record_id_is_before(reader->place, ring_start(ring_of(reader))) &&
		    record_id_is_before(ring_start(ring_of(reader)), end))
			end = ring_start(ring_of(reader));
		reader->place = record_id_later(reader->place, record_id_is_before(reader->to, end) ? reader->to : end);
	}
	bool is_stuck = record_id_compare(reader->place, reader->asked) == 0;
	if (page->is_last && !is_endless(reader))
		reader->is_over = true;
	else if (page->is_last && !has_ring(reader))
		reader->is_at_last = true;
	else if (is_stuck)
		fail(reader, ERR_AGAIN, "the log does not hold yet what this node knows of");
	drop_page(reader);
}

/* The range's end was passed, or the ring took over. True: the page is of no use any more. */
static bool leaves_page(struct reader *reader, struct record_id next)
{
	if (reader->is_reverse) {
		reader->is_over = record_id_is_before(next, reader->to);
		return reader->is_over;
	}
	struct record_id until = reader->to, start = has_ring(reader) ? ring_start(ring_of(reader)) : RECORD_ID_MAX;
	if (record_id_is_before(reader->place, start) && record_id_is_before(start, until))
		until = start;
	if (!record_id_is_before(until, next))
		return false;
	reader->place = record_id_later(reader->place, until);
	return true;
}

/* The ring has what comes next. Where the range has an end in front of which the ring is used up, the log is asked whether it
 * holds more than the node has delivered. */
static bool is_in_ring(const struct reader *reader)
{
	return has_ring(reader) && ring_covers(ring_of(reader), reader->place) &&
	       (is_endless(reader) || record_id_is_before(reader->place, ring_end(ring_of(reader))));
}

static bool is_finished(const struct reader *reader)
{
	if (reader->is_over)
		return true;
	return reader->is_reverse ? !record_id_is_before(reader->to, reader->place) : !record_id_is_before(reader->place, reader->to);
}

static const struct record *in_ring(struct reader *reader)
{
	const struct ring *ring = ring_of(reader);
	const struct record *former = reader->ring_place ? ring_at(ring, reader->ring_place - 1) : NULL;
	if (!former || record_id_compare(former->id, reader->place) != 0)
		reader->ring_place = ring_find(ring, reader->place);
	const struct record *record = ring_at(ring, reader->ring_place);
	return record && !record_id_is_before(reader->to, record->id) ? record : NULL;
}

/* The record behind the place; READER_MORE with one, anything else without. */
static enum reader_step find_next(struct reader *reader, const struct record **ret_record)
{
	for (;;) {
		if (reader->has_gap)
			return READER_GAP;
		if (reader->is_at_last || is_finished(reader))
			return READER_END;
		if (is_in_ring(reader)) {
			cancel(reader);
			reader->has_failed = false;
			drop_page(reader);
			*ret_record = in_ring(reader);
			return *ret_record ? READER_MORE : READER_END;
		}
		if (reader->has_failed)
			return READER_FAILED;
		if (!reader->page) {
			enum reader_step step = is_waiting(reader) ? READER_WAIT : ask(reader);
			if (step != READER_MORE)
				return step;
		} else if (reader->at == reader->page->count) {
			finish_page(reader);
		} else if (leaves_page(reader, reader->page->records[reader->at]->id)) {
			drop_page(reader);
		} else {
			*ret_record = reader->page->records[reader->at];
			return READER_MORE;
		}
	}
}

enum reader_step reader_peek(struct reader *reader)
{
	const struct record *record;
	enum reader_step step = find_next(reader, &record);
	return step == READER_END ? READER_MORE : step;
}

/* What is said once has been said. */
static enum reader_step say(struct reader *reader, enum reader_step step)
{
	if (step == READER_GAP)
		reader->has_gap = false;
	if (step == READER_FAILED)
		reader->has_failed = false;
	if (step == READER_END)
		reader->is_at_last = false;
	return step;
}

enum reader_step reader_next(struct reader *reader, const struct record **ret_record)
{
	record_unref(reader->given);
	reader->given = NULL;
	reader->is_pulled = true;
	for (int looked = 0; looked < READER_LOOKS; looked++) {
		const struct record *record;
		enum reader_step step = find_next(reader, &record);
		if (step != READER_MORE)
			return say(reader, step);
		reader->place = record->id;
		if (reader->page)
			reader->at++;
		else
			reader->ring_place++;
		if (filter_match(reader->filter, record)) {
			/* Counting a reference changes no part of the record that anyone reads. */
			reader->given = record_ref((struct record *)(uintptr_t)record);
			*ret_record = record;
			return READER_RECORD;
		}
	}
	return READER_MORE;
}

void reader_let_go(struct reader *reader)
{
	drop_page(reader);
	if (reader->merge && !merge_is_waiting(reader->merge))
		merge_let_go(reader->merge);
}

struct record_id reader_place(const struct reader *reader)
{
	return reader->place;
}

struct log_position reader_log(const struct reader *reader)
{
	return reader->log;
}

struct record_id reader_gap_after(const struct reader *reader)
{
	return reader->gap_after;
}

struct record_id reader_gap_before(const struct reader *reader)
{
	return reader->gap_before;
}

enum err reader_error(const struct reader *reader)
{
	return reader->error;
}

const char *reader_why(const struct reader *reader)
{
	return reader->why;
}
