/* A past for fuzz targets: what was recorded stands in a small log, and questions about it are answered from there, every fifth by a
 * failure. Of one exchange and one input at a time, on the fake clock. */
#ifndef TESTS_FUZZ_PAST_H
#define TESTS_FUZZ_PAST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "gateway/feed/intake.h"
#include "gateway/history/page_make.h"
#include "gateway/history/question.h"
#include "gateway/session/exchange.h"

#define WALL_MS UINT64_C(1764031200123)
#define LINES_MAX 64
#define WAITING_MAX 16
#define PAGE_ENTRIES 3
#define EPOCH UINT64_C(0x00c0ffee00000000)

static struct log_entry lines[LINES_MAX];
static size_t line_count;
static struct question *waiting[WAITING_MAX];
static size_t waiting_count, answer_count;

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* A question too much is never answered. */
static void past_ask(void *context, struct question *question)
{
	(void)context;
	if (question->kind == QUESTION_CANCEL || waiting_count == WAITING_MAX)
		question_free(question);
	else
		waiting[waiting_count++] = question;
}

static bool is_wanted(const struct page_query *query, struct record_id id)
{
	int from = record_id_compare(id, query->from), to = record_id_compare(id, query->to);
	return query->is_reverse ? from < 0 && to >= 0 : from > 0 && to <= 0;
}

static struct page *read_page(const struct page_query *query)
{
	struct log_entry found[PAGE_ENTRIES];
	size_t count = 0;
	bool is_last = true;
	for (size_t i = 0; i < line_count && is_last; i++) {
		const struct log_entry *entry = &lines[query->is_reverse ? line_count - 1 - i : i];
		if (!is_wanted(query, entry->id))
			continue;
		is_last = count < PAGE_ENTRIES;
		if (is_last)
			found[count++] = *entry;
	}
	struct page *page = page_make(&intake_fields_default, found, count, query->session);
	check(page);
	page->is_reverse = query->is_reverse;
	page->from = query->from;
	page->reached = is_last ? query->to : found[count - 1].id;
	page->is_last = is_last;
	page->log = (struct log_position){.epoch = EPOCH, .last = line_count ? lines[line_count - 1].id : (struct record_id){0}};
	return page;
}

static struct session_list *some_sessions(void)
{
	const struct session_summary summaries[] = {
	    {SLICE_LITERAL("s1"), {1, 0}, {9, 0}, 9}, {SLICE_LITERAL("\"\\"), {2, 0}, {3, 0}, 2}};
	return session_list_new(0, summaries, 2);
}

static void fill_in(struct answer *answer, const struct question *question)
{
	answer->id = (struct record_id){WALL_MS, 7};
	if (question->kind == QUESTION_PAGE)
		answer->page = read_page(&question->page);
	if (question->kind == QUESTION_SESSIONS)
		answer->sessions = some_sessions();
	if (question->kind == QUESTION_STATE)
		answer->state = blob_new("{\"events\":1}", 12);
	if (question->kind == QUESTION_STATE && question->has_diff)
		answer->patch = blob_new("{}", 2);
}

static void answer_first(struct exchange *exchange)
{
	static const enum err errors[] = {OK, OK, OK, OK, ERR_TIMEOUT};
	struct question *question = waiting[0];
	memmove(waiting, waiting + 1, --waiting_count * sizeof *waiting);
	enum err error = errors[answer_count++ % (sizeof errors / sizeof errors[0])];
	struct answer *answer = answer_new(question, error, NULL);
	check(answer);
	if (error == OK)
		fill_in(answer, question);
	question_free(question);
	exchange_answer(exchange, answer);
	exchange_end_turn(exchange);
}

/* At most so many questions. */
static void past_answer(struct exchange *exchange, int count)
{
	for (int i = 0; i < count && waiting_count; i++)
		answer_first(exchange);
}

/* An exchange that asks this past. */
static struct exchange_settings past_settings(void)
{
	static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
	return (struct exchange_settings){
	    .node = "n1",
	    .version = "test",
	    .served = {patterns, 2},
	    .heartbeat_ns = 20 * NS_PER_S,
	    .batch_max_delay_ns = 50 * NS_PER_MS,
	    .batch_max_events = 100,
	    .batch_max_bytes = 16384,
	    .slow_threshold_bytes = 4096,
	    .subscriptions_max = 3,
	    .message_bytes_max = 4096,
	    .past = {past_ask, NULL},
	    .past_timeout_ns = NS_PER_S,
	    .past_requests_max = 4,
	    .ring_records_max = 4,
	    .ring_bytes_max = 4096,
	};
}

static void past_begin(struct exchange *exchange)
{
	line_count = answer_count = 0;
	exchange_feed_state(exchange, &(struct feed_state){.log = {.epoch = EPOCH}, .is_recorded = true});
}

static void past_end(void)
{
	while (waiting_count)
		question_free(waiting[--waiting_count]);
}

/* Records the event, whose texts must live as long as the past, and delivers it. */
static void past_record(struct exchange *exchange, struct slice channel, struct slice payload)
{
	struct record_batch *batch = record_batch_new(1);
	struct record *record = intake_record(&intake_fields_default, channel, payload, WALL_MS, 0);
	check(batch && record);
	if (line_count < LINES_MAX) {
		struct record_id id = {clock_wall_ms(), 0};
		batch->is_recorded = true;
		batch->after = line_count ? lines[line_count - 1].id : (struct record_id){0};
		record_stamp(record, id);
		lines[line_count++] = (struct log_entry){.id = id, .channel = channel, .payload = payload};
	}
	record_batch_add(batch, record);
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
}

#endif
