/* A log for tests of the session room, and the past that it answers for: what was recorded, what was trimmed, and the questions
 * that wait until the test answers them, late, in any order, or with an error. */
#ifndef TESTS_UNIT_SESSION_FAKE_PAST_H
#define TESTS_UNIT_SESSION_FAKE_PAST_H

#include "fake_peer.h"

#define FAKE_SESSIONS 4
#define FAKE_EPOCH UINT64_C(0x1122334455667788)

struct fake_event {
	struct record_id id;
	int session, type;
	bool is_repeat;
	unsigned number;
};

struct fake_past {
	struct fake_event *events; /* as recorded, ever */
	size_t count, capacity, pad_bytes;
	uint64_t epoch;
	struct record_id base, trimmed, session_trimmed[FAKE_SESSIONS]; /* what is up to there is gone */
	struct question *waiting[4096];
	size_t waiting_count, asked, cancelled, page_entries;
	uint64_t last_deadline_ns;
};

static struct fake_past past;

static UNUSED struct record_id fake_id(uint64_t ms, uint64_t seq)
{
	return (struct record_id){ms, seq};
}

static inline bool fake_is_after(struct record_id a, struct record_id b)
{
	return record_id_compare(a, b) > 0;
}

static inline struct record_id fake_last(void)
{
	return past.count ? past.events[past.count - 1].id : past.base;
}

static inline void fake_forget_question(size_t at)
{
	question_free(past.waiting[at]);
	memmove(past.waiting + at, past.waiting + at + 1, (--past.waiting_count - at) * sizeof past.waiting[0]);
}

static inline void fake_ask(void *context, struct question *question)
{
	(void)context;
	if (question->kind != QUESTION_CANCEL) {
		ck_assert_uint_lt(past.waiting_count, 4096);
		past.waiting[past.waiting_count++] = question;
		past.asked++;
		past.last_deadline_ns = question->deadline_ns;
		return;
	}
	past.cancelled++;
	for (size_t i = 0; i < past.waiting_count; i++) {
		if (past.waiting[i]->ticket == question->ticket) {
			fake_forget_question(i);
			break;
		}
	}
	question_free(question);
}

static UNUSED void fake_past_start(void)
{
	past = (struct fake_past){.epoch = FAKE_EPOCH, .page_entries = 10};
}

static UNUSED void fake_past_end(void)
{
	while (past.waiting_count)
		fake_forget_question(0);
	free(past.events);
	past.events = NULL;
}

static inline struct record *fake_record(const struct fake_event *event)
{
	static char payload[1 << 17];
	char channel[32];
	snprintf(channel, sizeof channel, "trace:s%d", event->session);
	int len = snprintf(payload, sizeof payload, "{\"n\":%u,\"sessionId\":\"s%d\",\"type\":\"t%d\",\"pad\":\"", event->number,
			   event->session, event->type);
	memset(payload + len, 'x', past.pad_bytes);
	snprintf(payload + (size_t)len + past.pad_bytes, 3, "\"}");
	struct record *record = intake_record(&intake_fields_default, slice_of(channel), slice_of(payload), event->id.ms,
					      clock_mono_ns());
	ck_assert_ptr_nonnull(record);
	if (!record_id_is_zero(event->id))
		record_stamp(record, event->id);
	record->is_repeat = event->is_repeat;
	return record;
}

/* Puts an event into the log. */
static UNUSED const struct fake_event *fake_append(struct fake_event event)
{
	if (past.count == past.capacity) {
		past.capacity = past.capacity ? past.capacity * 2 : 64;
		past.events = realloc(past.events, past.capacity * sizeof *past.events);
		ck_assert_ptr_nonnull(past.events);
	}
	past.events[past.count] = event;
	return &past.events[past.count++];
}

static inline bool fake_holds(const struct fake_event *event, struct slice session)
{
	char name[8];
	snprintf(name, sizeof name, "s%d", event->session);
	if (!session.len)
		return fake_is_after(event->id, past.trimmed);
	return slice_is(session, name) && fake_is_after(event->id, past.session_trimmed[event->session]);
}

static inline bool fake_is_in(const struct page_query *query, struct record_id id)
{
	bool is_behind = query->is_reverse ? fake_is_after(query->from, id) : fake_is_after(id, query->from);
	return is_behind && !(query->is_reverse ? fake_is_after(query->to, id) : fake_is_after(id, query->to));
}

static inline struct page *fake_page(const struct page_query *query)
{
	struct page *page = calloc(1, sizeof *page + past.page_entries * sizeof(struct record *));
	ck_assert_ptr_nonnull(page);
	refcount_init(&page->refs);
	page->is_reverse = query->is_reverse;
	struct record_id trimmed = past.trimmed;
	if (query->session.len) {
		int session = query->session.ptr[1] - '0';
		trimmed = session < FAKE_SESSIONS ? past.session_trimmed[session] : (struct record_id){0};
	}
	page->from = query->from;
	page->is_trimmed = !query->is_reverse && !record_id_is_zero(query->from) && fake_is_after(trimmed, query->from);
	page->log = (struct log_position){past.epoch, past.base, fake_last()};
	page->is_last = true;
	page->reached = query->from;
	for (size_t i = 0; i < past.count; i++) {
		const struct fake_event *event = &past.events[query->is_reverse ? past.count - 1 - i : i];
		if (!fake_holds(event, query->session) || !fake_is_in(query, event->id))
			continue;
		if (page->count == past.page_entries) {
			page->is_last = false;
			break;
		}
		page->records[page->count++] = fake_record(event);
		page->reached = event->id;
	}
	return page;
}

static UNUSED void fake_answer(struct exchange *exchange, size_t at, enum err error)
{
	struct answer *answer = answer_new(past.waiting[at], error, error == OK ? NULL : "the test says so");
	ck_assert_ptr_nonnull(answer);
	if (error == OK)
		answer->page = fake_page(&past.waiting[at]->page);
	fake_forget_question(at);
	exchange_answer(exchange, answer);
}

/* Runs turns until nothing is due and no question waits. */
static UNUSED void settle(struct exchange *exchange)
{
	for (;;) {
		while (exchange_end_turn(exchange) <= clock_mono_ns())
			continue;
		if (!past.waiting_count)
			return;
		fake_answer(exchange, 0, OK);
	}
}

static UNUSED void tell_feed(struct exchange *exchange, bool is_recorded)
{
	struct feed_state state = {.log = {past.epoch, past.base, fake_last()}, .is_recorded = is_recorded};
	exchange_feed_state(exchange, &state);
}

/* Delivers the last events of the log, which were appended since after. */
static UNUSED void deliver_since(struct exchange *exchange, struct record_id after, size_t first)
{
	struct record_batch *batch = record_batch_new(past.count - first);
	ck_assert_ptr_nonnull(batch);
	batch->is_recorded = true;
	batch->after = after;
	for (size_t i = first; i < past.count; i++)
		record_batch_add(batch, fake_record(&past.events[i]));
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
}

/* Records and delivers count events of one session. Their ids are <ms>-0, ms from 1 on. */
static UNUSED void record_events(struct exchange *exchange, int session, unsigned count)
{
	struct record_id after = fake_last();
	size_t first = past.count;
	for (unsigned i = 0; i < count; i++)
		fake_append((struct fake_event){
			.id = fake_id(after.ms + 1 + i, 0), .session = session, .number = (unsigned)past.count + 1});
	deliver_since(exchange, after, first);
}

static UNUSED struct exchange_settings past_settings(void)
{
	struct exchange_settings settings = fake_settings();
	settings.past.ask = fake_ask;
	settings.past_timeout_ns = 5 * NS_PER_S;
	settings.past_requests_max = 4;
	settings.ring_records_max = 16;
	settings.ring_bytes_max = 1 << 20;
	settings.subscriptions_max = 0;
	return settings;
}

#endif
