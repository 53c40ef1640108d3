#include "gateway/history/archive.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "gateway/history/archive_inside.h"
#include "gateway/history/refusal.h"
#include "gateway/metrics/metrics.h"

#define PUBLISHES_IN_FLIGHT_MAX 256
#define PACE_START 256

static struct inquiry *inquiry_of(struct line_item *item)
{
	return LIST_ENTRY(item, struct inquiry, item);
}

static struct line *line_of(struct archive *archive, enum question_kind kind)
{
	return kind == QUESTION_PUBLISH ? &archive->publishes : &archive->pages;
}

static void drop(struct archive *archive, struct inquiry *inquiry)
{
	line_leave(line_of(archive, inquiry->question->kind), &inquiry->item);
	list_remove(&inquiry->item.link);
	list_remove(&inquiry->all);
	table_remove(&archive->by_ticket, (struct slice){(const char *)&inquiry->key, sizeof inquiry->key});
	question_free(inquiry->question);
	free(inquiry);
}

/* Without memory for an answer there is none: its asker's own patience ends it. */
static struct answer *begin_answer(const struct question *question, enum err error, const char *why)
{
	if (error)
		metric_add(METRIC_QUESTIONS_FAILED, 1);
	if (error == ERR_IO)
		error = refusal_judge(why, &why);
	return answer_new(question, error, why);
}

static void refuse(struct archive *archive, const struct question *question, enum err error, const char *why)
{
	struct answer *answer = begin_answer(question, error, why);
	if (answer)
		archive->ops.answer(archive->context, answer);
}

void archive_answer(struct archive *archive, struct inquiry *inquiry, enum err error, const char *why,
                    struct page *page)
{
	struct answer *answer = begin_answer(inquiry->question, error, why);
	if (answer && page)
		answer->page = page_ref(page);
	drop(archive, inquiry);
	if (answer)
		archive->ops.answer(archive->context, answer);
}

void archive_join(struct reading *reading, struct inquiry *inquiry)
{
	inquiry->reading = reading;
	list_append(&reading->inquiries, &inquiry->item.link);
}

struct reading *archive_begin(struct archive *archive, enum question_kind kind, size_t bytes)
{
	struct reading *reading = calloc(1, sizeof *reading + bytes);
	if (!reading)
		return NULL;
	reading->kind = kind;
	reading->ticket = ++archive->last_ticket;
	list_init(&reading->inquiries);
	list_append(&archive->readings, &reading->link);
	*(kind == QUESTION_PUBLISH ? &archive->publishes_in_flight : &archive->reads_in_flight) += 1;
	return reading;
}

void archive_end(struct archive *archive, struct reading *reading)
{
	*(reading->kind == QUESTION_PUBLISH ? &archive->publishes_in_flight : &archive->reads_in_flight) -= 1;
	list_remove(&reading->link);
	page_unref(reading->page);
	page_unref(reading->own);
	free(reading);
}

void archive_fail(struct archive *archive, struct reading *reading, enum err error, const char *why)
{
	LIST_FOREACH(&reading->inquiries, at, following)
	{
		archive_answer(archive, LIST_ENTRY(at, struct inquiry, item.link), error, why, NULL);
	}
	archive_end(archive, reading);
}

/* Whatever is asked for one alone. */
static void read_other(struct archive *archive, struct inquiry *inquiry)
{
	const struct question *question = inquiry->question;
	struct reading *reading = archive_begin(archive, question->kind, 0);
	if (!reading) {
		archive_answer(archive, inquiry, ERR_NOMEM, NULL, NULL);
		return;
	}
	archive_join(reading, inquiry);
	enum err error;
	if (question->kind == QUESTION_PUBLISH)
		error = archive->ops.publish(archive->context, reading->ticket, question->channel, question->payload,
		                             question->session);
	else
		error = archive->ops.list(archive->context, reading->ticket, question->cursor, question->limit);
	if (error)
		archive_fail(archive, reading, error, NULL);
}

static bool serve_from_shelf(struct archive *archive, struct inquiry *inquiry)
{
	struct page *page = shelf_find(&archive->shelf, &inquiry->question->page, clock_mono_ns(), &inquiry->is_second);
	if (!page)
		return false;
	metric_add(METRIC_PAGES_SHARED, 1);
	archive_answer(archive, inquiry, OK, NULL, page);
	return true;
}

void archive_pump(struct archive *archive)
{
	struct line_item *item;
	while (archive->publishes_in_flight < PUBLISHES_IN_FLIGHT_MAX && (item = line_next(&archive->publishes)))
		read_other(archive, inquiry_of(item));
	while (archive->reads_in_flight < archive->settings.reads_in_flight_max &&
	       (item = line_next(&archive->pages))) {
		struct inquiry *inquiry = inquiry_of(item);
		if (inquiry->question->kind == QUESTION_SESSIONS)
			read_other(archive, inquiry);
		else if (!serve_from_shelf(archive, inquiry) && !archive_join_under_way(archive, inquiry))
			archive_read_page(archive, inquiry);
	}
}

static struct inquiry *find_inquiry(const struct archive *archive, const struct question *question)
{
	const uint64_t key[2] = {(uint64_t)(uintptr_t)question->asker, question->ticket};
	return table_get(&archive->by_ticket, (struct slice){(const char *)key, sizeof key});
}

static void cancel(struct archive *archive, const struct question *question)
{
	struct inquiry *inquiry = find_inquiry(archive, question);
	if (inquiry)
		drop(archive, inquiry);
}

/* Takes the question over, unless it fails. */
static enum err inquire(struct archive *archive, struct question *question, struct inquiry **ret_inquiry)
{
	struct inquiry *inquiry = calloc(1, sizeof *inquiry);
	if (!inquiry)
		return ERR_NOMEM;
	inquiry->key.asker = (uint64_t)(uintptr_t)question->asker;
	inquiry->key.ticket = question->ticket;
	enum err error =
	    table_put(&archive->by_ticket, (struct slice){(const char *)&inquiry->key, sizeof inquiry->key}, inquiry);
	if (error) {
		free(inquiry);
		return error;
	}
	inquiry->question = question;
	inquiry->asked = archive->sent;
	list_init(&inquiry->item.link);
	list_append(&archive->inquiries, &inquiry->all);
	if (question->deadline_ns < archive->due_ns)
		archive->due_ns = question->deadline_ns;
	*ret_inquiry = inquiry;
	return OK;
}

static enum err ask(struct archive *archive, struct question *question)
{
	struct inquiry *inquiry;
	struct line *line = line_of(archive, question->kind);
	if (!archive->is_up)
		return ERR_CLOSED;
	enum err error = inquire(archive, question, &inquiry);
	if (error)
		return error;
	if (question->kind == QUESTION_PAGE &&
	    (serve_from_shelf(archive, inquiry) || archive_join_under_way(archive, inquiry)))
		return OK;
	if (line->count >= archive->settings.waiting_max)
		archive_answer(archive, inquiry, ERR_LIMIT, NULL, NULL);
	else if (line_join(line, question->asker, &inquiry->item) != OK)
		archive_answer(archive, inquiry, ERR_NOMEM, NULL, NULL);
	else
		archive_pump(archive);
	return OK;
}

void archive_ask(struct archive *archive, struct question *question)
{
	if (question->kind == QUESTION_CANCEL) {
		cancel(archive, question);
		question_free(question);
		return;
	}
	metric_add(METRIC_QUESTIONS, 1);
	/* Who lags behind a change of the log does not turn it back. */
	if (question->known.epoch && (question->known.epoch == archive->log.epoch || !archive->log.epoch))
		archive_position(archive, &question->known);
	enum err error = ask(archive, question);
	if (error) {
		refuse(archive, question, error, NULL);
		question_free(question);
	}
}

void archive_link(struct archive *archive, bool is_up)
{
	archive->is_up = is_up;
	if (is_up)
		return;
	LIST_FOREACH(&archive->readings, at, following)
	{
		struct reading *reading = LIST_ENTRY(at, struct reading, link);
		archive_fail(archive, reading, ERR_CLOSED,
		             reading->kind == QUESTION_PUBLISH ? "the link was lost: stored or not, nobody knows"
		                                               : NULL);
	}
	while (!list_is_empty(&archive->inquiries))
		archive_answer(archive, LIST_ENTRY(archive->inquiries.next, struct inquiry, all), ERR_CLOSED, NULL,
		               NULL);
	shelf_clear(&archive->shelf);
}

void archive_position(struct archive *archive, const struct log_position *position)
{
	if (position->epoch == archive->log.epoch) {
		if (record_id_compare(position->last, archive->log.last) > 0)
			archive->log.last = position->last;
		return;
	}
	archive->log = *position;
	shelf_clear(&archive->shelf);
}

uint64_t archive_tick(struct archive *archive, uint64_t now_ns)
{
	uint64_t shelf_ns = shelf_tick(&archive->shelf, now_ns);
	if (archive->due_ns <= now_ns) {
		archive->due_ns = UINT64_MAX;
		LIST_FOREACH(&archive->inquiries, at, following)
		{
			struct inquiry *inquiry = LIST_ENTRY(at, struct inquiry, all);
			if (inquiry->question->deadline_ns <= now_ns)
				archive_answer(archive, inquiry, ERR_TIMEOUT, NULL, NULL);
			else if (inquiry->question->deadline_ns < archive->due_ns)
				archive->due_ns = inquiry->question->deadline_ns;
		}
	}
	return archive->due_ns < shelf_ns ? archive->due_ns : shelf_ns;
}

static struct reading *find_reading(const struct archive *archive, uint64_t ticket)
{
	LIST_FOREACH(&archive->readings, at, following)
	{
		struct reading *reading = LIST_ENTRY(at, struct reading, link);
		if (reading->ticket == ticket)
			return reading;
	}
	return NULL;
}

void archive_on_read(struct archive *archive, uint64_t ticket, const struct log_entry *entries, size_t count,
                     const char *why)
{
	struct reading *reading = find_reading(archive, ticket);
	if (!reading || !reading->awaits_page)
		return;
	if (why)
		archive_fail(archive, reading, ERR_IO, why);
	else
		archive_read_came(archive, reading, entries, count);
	archive_pump(archive);
}

void archive_on_facts(struct archive *archive, uint64_t ticket, const struct stream_facts *stream,
                      const struct log_position *log, const char *why)
{
	struct reading *reading = find_reading(archive, ticket);
	if (log && !why && log->epoch)
		archive_position(archive, log);
	if (!reading || !reading->awaits_facts)
		return;
	if (why)
		archive_fail(archive, reading, ERR_IO, why);
	else
		archive_facts_came(archive, reading, stream);
	archive_pump(archive);
}

/* What was asked for one alone: its inquiry, NULL when it is gone; the reading ends. */
static struct inquiry *finish_other(struct archive *archive, uint64_t ticket)
{
	struct reading *reading = find_reading(archive, ticket);
	if (!reading)
		return NULL;
	struct inquiry *inquiry = NULL;
	if (!list_is_empty(&reading->inquiries)) {
		inquiry = LIST_ENTRY(reading->inquiries.next, struct inquiry, item.link);
		list_remove(&inquiry->item.link);
		inquiry->reading = NULL;
	}
	archive_end(archive, reading);
	return inquiry;
}

void archive_on_published(struct archive *archive, uint64_t ticket, struct record_id id, const char *why)
{
	struct inquiry *inquiry = finish_other(archive, ticket);
	if (inquiry) {
		struct answer *answer = begin_answer(inquiry->question, why ? ERR_IO : OK, why);
		drop(archive, inquiry);
		if (answer) {
			answer->id = id;
			archive->ops.answer(archive->context, answer);
		}
	}
	archive_pump(archive);
}

void archive_on_list(struct archive *archive, uint64_t ticket, struct session_list *list, const char *why)
{
	struct inquiry *inquiry = finish_other(archive, ticket);
	struct answer *answer = NULL;
	if (inquiry) {
		answer = begin_answer(inquiry->question, list && !why ? OK : ERR_IO, why);
		drop(archive, inquiry);
	}
	if (answer) {
		answer->sessions = list;
		archive->ops.answer(archive->context, answer);
	} else {
		session_list_free(list);
	}
	archive_pump(archive);
}

struct archive *archive_new(const struct archive_settings *settings, const struct archive_ops *ops, void *context)
{
	struct archive *archive = calloc(1, sizeof *archive);
	if (!archive)
		return NULL;
	archive->settings = *settings;
	archive->ops = *ops;
	archive->context = context;
	archive->due_ns = UINT64_MAX;
	line_init(&archive->pages);
	line_init(&archive->publishes);
	list_init(&archive->inquiries);
	list_init(&archive->readings);
	table_init(&archive->by_ticket);
	shelf_init(&archive->shelf, settings->kept_bytes_max, settings->kept_ns);
	archive->log_pace.entries = archive->session_pace.entries =
	    settings->page_entries < PACE_START ? settings->page_entries : PACE_START;
	return archive;
}

void archive_free(struct archive *archive)
{
	if (!archive)
		return;
	while (!list_is_empty(&archive->inquiries))
		drop(archive, LIST_ENTRY(archive->inquiries.next, struct inquiry, all));
	while (!list_is_empty(&archive->readings))
		archive_end(archive, LIST_ENTRY(archive->readings.next, struct reading, link));
	shelf_clear(&archive->shelf);
	line_fini(&archive->pages);
	line_fini(&archive->publishes);
	table_fini(&archive->by_ticket);
	free(archive);
}
