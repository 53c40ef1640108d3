/* A log for tests of the session room: the exchange's questions about the past wait until the test answers them, from the
 * entries that the test wrote, in pages of a size that it chooses. Use with fake_peer.h. */
#ifndef TESTS_UNIT_SESSION_FAKE_LOG_H
#define TESTS_UNIT_SESSION_FAKE_LOG_H

#include "fake_peer.h"

#include "gateway/history/page_make.h"
#include "gateway/history/question.h"

#define FAKE_LOG_ENTRIES 8192
#define FAKE_LOG_QUESTIONS 64
#define FAKE_LOG_EPOCH UINT64_C(0x00c0ffee00000000)

static struct fake_log {
	struct log_entry entries[FAKE_LOG_ENTRIES]; /* their texts are owned */
	size_t count, first;                        /* what is before first is trimmed */
	size_t page_entries;
	struct question *questions[FAKE_LOG_QUESTIONS];
	size_t waiting, asked, cancelled;
} fake_log;

static UNUSED char *fake_text(const char *text)
{
	char *copy = malloc(strlen(text) + 1);
	ck_assert_ptr_nonnull(copy);
	return strcpy(copy, text);
}

static UNUSED void log_write(uint64_t ms, uint64_t seq, const char *channel, const char *payload)
{
	ck_assert_uint_lt(fake_log.count, FAKE_LOG_ENTRIES);
	fake_log.entries[fake_log.count++] = (struct log_entry){
		.id = {ms, seq},
		.channel = slice_of(fake_text(channel)),
		.payload = slice_of(fake_text(payload)),
	};
}

static UNUSED struct record_id log_last(void)
{
	return fake_log.count ? fake_log.entries[fake_log.count - 1].id : (struct record_id){0};
}

static UNUSED void log_ask(void *context, struct question *question)
{
	(void)context;
	if (question->kind != QUESTION_CANCEL) {
		ck_assert_uint_lt(fake_log.waiting, FAKE_LOG_QUESTIONS);
		fake_log.questions[fake_log.waiting++] = question;
		fake_log.asked++;
		return;
	}
	fake_log.cancelled++;
	question_free(question);
}

static UNUSED struct question *log_take(void)
{
	ck_assert_uint_gt(fake_log.waiting, 0);
	struct question *question = fake_log.questions[0];
	fake_log.waiting--;
	memmove(fake_log.questions, fake_log.questions + 1, fake_log.waiting * sizeof *fake_log.questions);
	return question;
}

static UNUSED bool log_is_wanted(const struct page_query *query, struct record_id id)
{
	int from = record_id_compare(id, query->from), to = record_id_compare(id, query->to);
	return query->is_reverse ? from < 0 && to >= 0 : from > 0 && to <= 0;
}

static UNUSED struct page *log_page(const struct page_query *query)
{
	struct log_entry found[FAKE_LOG_ENTRIES] = {{.id = {0}}};
	size_t count = 0;
	bool is_last = true;
	for (size_t i = fake_log.first; i < fake_log.count; i++) {
		size_t at = query->is_reverse ? fake_log.count - 1 - (i - fake_log.first) : i;
		if (!log_is_wanted(query, fake_log.entries[at].id))
			continue;
		is_last = count < fake_log.page_entries;
		if (!is_last)
			break;
		found[count++] = fake_log.entries[at];
	}
	struct page *page = page_make(&intake_fields_default, found, count, query->session);
	ck_assert_ptr_nonnull(page);
	page->is_reverse = query->is_reverse;
	page->from = query->from;
	page->is_last = is_last;
	page->reached = is_last || !count ? query->to : found[count - 1].id;
	page->is_trimmed = !query->is_reverse && fake_log.first &&
			   record_id_compare(query->from, fake_log.entries[fake_log.first - 1].id) < 0;
	page->log = (struct log_position){.epoch = FAKE_LOG_EPOCH, .last = log_last()};
	return page;
}

/* Answers the oldest question in a turn of its own. */
static UNUSED void log_answer_with(struct exchange *exchange, enum err error, const char *why)
{
	struct question *question = log_take();
	struct answer *answer = answer_new(question, error, why);
	ck_assert_ptr_nonnull(answer);
	if (error == OK && question->kind == QUESTION_PAGE)
		answer->page = log_page(&question->page);
	if (error == OK && question->kind == QUESTION_PUBLISH)
		answer->id = (struct record_id){WALL_MS, 7};
	question_free(question);
	exchange_answer(exchange, answer);
	exchange_end_turn(exchange);
}

/* Until nothing is asked any more. */
static UNUSED void log_answer_all(struct exchange *exchange)
{
	exchange_end_turn(exchange);
	while (fake_log.waiting)
		log_answer_with(exchange, OK, NULL);
}

static UNUSED void log_start(size_t page_entries)
{
	fake_log = (struct fake_log){.page_entries = page_entries};
}

static UNUSED void log_end(void)
{
	while (fake_log.waiting)
		question_free(log_take());
	for (size_t i = 0; i < fake_log.count; i++) {
		free((char *)(uintptr_t)fake_log.entries[i].channel.ptr);
		free((char *)(uintptr_t)fake_log.entries[i].payload.ptr);
	}
}

#endif
