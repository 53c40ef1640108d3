/* Each line is a message of a client, is recorded and delivered, and stands in a log that questions about the past are answered
 * from; every fifth fails. Whatever the lines are, the session answers in whole frames of valid JSON, and can be closed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/codec/json.h"
#include "common/codec/wsframe.h"
#include "gateway/auth/grants.h"
#include "gateway/feed/intake.h"
#include "gateway/history/page_make.h"
#include "gateway/history/question.h"
#include "gateway/metrics/metrics.h"
#include "gateway/session/session.h"

#define WALL_MS UINT64_C(1764031200123)
#define LINES_MAX 64
#define WAITING_MAX 16
#define PAGE_ENTRIES 3
#define EPOCH UINT64_C(0x00c0ffee00000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool is_closed; /* by the session */
static struct log_entry lines[LINES_MAX];
static size_t line_count;
static struct question *waiting[WAITING_MAX];
static size_t waiting_count, answer_count;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_clear(const struct port *port)
{
	(void)port;
	return true;
}

static enum port_result judge_frames(struct port *port, struct slice frames)
{
	(void)port;
	while (frames.len) {
		struct wsframe frame;
		check(wsframe_read(frames, &frame) == OK && frame.payload_len <= frames.len - frame.header_len);
		struct slice payload = {frames.ptr + frame.header_len, (size_t)frame.payload_len};
		check(frame.op == WSFRAME_PING || (frame.op == WSFRAME_TEXT && json_is_valid(payload, NULL, NULL)));
		frames.ptr += frame.header_len + payload.len;
		frames.len -= frame.header_len + payload.len;
	}
	return PORT_SENT;
}

static void note_close(struct port *port, uint16_t code, const char *reason)
{
	(void)port;
	check(wsframe_is_close_code(code) && strlen(reason) <= WSFRAME_REASON_MAX);
	is_closed = true;
}

/* A question too much is never answered. */
static void note_question(void *context, struct question *question)
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

static void answer_first(struct exchange *exchange)
{
	static const enum err errors[] = {OK, OK, OK, OK, ERR_TIMEOUT};
	struct question *question = waiting[0];
	memmove(waiting, waiting + 1, --waiting_count * sizeof *waiting);
	enum err error = errors[answer_count++ % (sizeof errors / sizeof errors[0])];
	struct answer *answer = answer_new(question, error, NULL);
	check(answer);
	if (error == OK && question->kind == QUESTION_PAGE)
		answer->page = read_page(&question->page);
	answer->id = (struct record_id){WALL_MS, 7};
	question_free(question);
	exchange_answer(exchange, answer);
	exchange_end_turn(exchange);
}

/* Records the line and delivers it. */
static void publish(struct exchange *exchange, struct slice line)
{
	struct record_batch *batch = record_batch_new(1);
	struct record *record = intake_record(&intake_fields_default, slice_of("trace:s1"), line, WALL_MS, 0);
	check(batch && record);
	if (line_count < LINES_MAX) {
		struct record_id id = {clock_wall_ms(), 0};
		batch->is_recorded = true;
		batch->after = line_count ? lines[line_count - 1].id : (struct record_id){0};
		record_stamp(record, id);
		lines[line_count++] = (struct log_entry){.id = id, .channel = slice_of("trace:s1"), .payload = line};
	}
	record_batch_add(batch, record);
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
}

static void say_and_publish(struct exchange *exchange, struct session *session, struct slice line)
{
	session_message(session, line);
	publish(exchange, line);
	clock_fake_advance_ms(1);
	exchange_end_turn(exchange);
	for (int i = 0; i < 2 && waiting_count; i++)
		answer_first(exchange);
}

static void converse(struct exchange *exchange, const char *at, const char *end)
{
	static const struct port_ops ops = {.is_clear = is_clear, .send = judge_frames, .close = note_close};
	struct port port = {.ops = &ops};
	struct grants *grants = grants_new(SLICE_LITERAL("anonymous"));
	struct session *session = grants ? session_open(exchange, &front_json, &port, grants) : NULL;
	grants_unref(grants);
	check(session);
	is_closed = false;
	line_count = answer_count = 0;
	exchange_feed_state(exchange, &(struct feed_state){.log = {.epoch = EPOCH}, .is_recorded = true});
	while (at < end && !is_closed) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		struct slice line = {at, (size_t)((line_end ? line_end : end) - at)};
		say_and_publish(exchange, session, line);
		at += line.len + (line_end != NULL);
	}
	for (int i = 0; i < 100 && waiting_count; i++)
		answer_first(exchange);
	session_close(session, CLOSE_NORMAL);
	check(is_closed);
	session_closed(session);
	while (waiting_count)
		question_free(waiting[--waiting_count]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct slice patterns[] = {SLICE_LITERAL("trace:*"), SLICE_LITERAL("agent:*")};
	const struct exchange_settings settings = {
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
	    .past = {note_question, NULL},
	    .past_timeout_ns = NS_PER_S,
	    .past_requests_max = 4,
	    .ring_records_max = 4,
	    .ring_bytes_max = 4096,
	};
	clock_fake(NS_PER_S, WALL_MS);
	check(metrics_join() == OK);
	struct exchange *exchange = exchange_new(&settings);
	check(exchange);
	if (len)
		converse(exchange, (const char *)bytes, (const char *)bytes + len);
	exchange_free(exchange);
	metrics_reset();
	clock_real();
	return 0;
}
