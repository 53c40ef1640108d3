#include "gateway/http/events_request.h"
#include "gateway/http/response.h"
#include "gateway/http/wish.h"
#include "tests/support/sse_reader.h"
#include "tests/support/suite.h"
#include "tests/unit/http/fake_client.h"

#define EPOCH UINT64_C(0x1234567800000000)
#define HALF_BEAT_MS 10000 /* of fake_settings() */

static struct client client;
static struct sse_reader reader;
static struct sse_message message;
static size_t read_bytes;

static void tell_log(uint64_t last_ms)
{
	struct feed_state state = {.log = {.epoch = EPOCH, .last = {last_ms, 0}}, .is_recorded = true};
	exchange_feed_state(exchange, &state);
}

static void set_up(void)
{
	past_start(true);
	tell_log(100);
	client = (struct client){.status = 0};
	sse_reader_init(&reader);
	read_bytes = 0;
}

static void tear_down(void)
{
	client_leaves(&client);
	sse_reader_fini(&reader);
	past_end();
}

static void ask(const char *target, const char *fields)
{
	char line[HEAD_TARGET_MAX];
	snprintf(line, sizeof line, "GET %s", target);
	client_leaves(&client);
	client_asks(&client, line, fields);
}

static bool next(void)
{
	sse_reader_feed(&reader, (struct slice){client.body.bytes + read_bytes, client.body.len - read_bytes});
	read_bytes = client.body.len;
	return sse_reader_next(&reader, &message);
}

static void expect_nothing(void)
{
	ck_assert_msg(!next(), "%.*s", (int)message.data.len, message.data.ptr);
}

static void expect_last_id(const char *id)
{
	ck_assert_msg(slice_is(buf_slice(&reader.last_id), id), "%.*s", (int)reader.last_id.len, reader.last_id.bytes);
}

static void expect(const char *type, const char *part)
{
	ck_assert_msg(next(), "nothing comes: %.*s", (int)client.body.len, client.body.bytes);
	char *text = strndup(message.data.ptr, message.data.len);
	ck_assert_msg(slice_is(message.type, type) && strstr(text, part), "%s", text);
	free(text);
}

static void record(const char *channel, const char *payload, uint64_t after_ms, uint64_t ms)
{
	struct record_batch *batch = record_batch_new(1);
	struct record *made = intake_record(&intake_fields_default, slice_of(channel), slice_of(payload), ms, clock_mono_ns());
	record_stamp(made, (struct record_id){ms, 0});
	batch->after = (struct record_id){after_ms, 0};
	batch->is_recorded = true;
	record_batch_add(batch, made);
	exchange_deliver(exchange, batch);
	record_batch_unref(batch);
	exchange_end_turn(exchange);
}

START_TEST(a_stream_begins_with_the_time_to_wait_and_the_place)
{
	ask("/v1/events", "");
	ck_assert_uint_eq(client.status, 200);
	ck_assert_str_eq(client.response.content_type, "text/event-stream");
	ck_assert_uint_eq(client.response.length, RESPONSE_STREAMED);
	ck_assert(client.response.is_live);
	ck_assert(client.call->is_endless);
	ck_assert(slice_is(buf_slice(&client.body), "retry: 2000\n\nid: 100-0.12345678\n\n"));
	expect_nothing();
	ck_assert_uint_eq(reader.retry_ms, 2000);
	ck_assert_uint_eq(metric_read(METRIC_CONNECTIONS), 1);
}
END_TEST

START_TEST(events_come_live_as_they_were_published)
{
	ask("/v1/events?channels=trace:*,agent:a1&type=tool.*", "Accept: text/event-stream\r\n");
	record("trace:s1", "{ \"type\":\"tool.call\",\n\"n\":1.0}", 100, 101);
	record("agent:a2", "{\"type\":\"tool.call\"}", 101, 102);
	record("trace:s1", "{\"type\":\"llm.call\"}", 102, 103);
	expect("message", "{\"id\":\"101-0\",\"channel\":\"trace:s1\",");
	expect_last_id("101-0.12345678");
	expect_nothing();
	ck_assert(!client.is_finished);
}
END_TEST

/* Every parameter of the filter narrows. */
static const struct {
	const char *query;
	bool is_wanted; /* trace:s1 of agent a1 with n 7 */
} filters[] = {
	{"", true},
	{"?session=s0,s1", true},
	{"?session=s2", false},
	{"?agent=a1", true},
	{"?agent=a2,a3", false},
	{"?type=x*", true},
	{"?type=y", false},
	{"?channels=trace:s1", true},
	{"?channels=agent:*", false},
	{"?where=%5B%7B%22path%22:%22/n%22,%22op%22:%22==%22,%22value%22:7%7D%5D", true},
	{"?where=%5B%7B%22path%22:%22/n%22,%22op%22:%22%3E%22,%22value%22:7%7D%5D", false},
	{"?session=s1&agent=a1&type=x.y&channels=trace:*&slow=drop&other=1", true},
};

static const struct {
	const char *query, *subscribe;
} requests[] = {
	{"", "{\"id\":0,\"op\":\"subscribe\",\"filter\":{}}"},
	{"channels=a%2Cb,c&session=,&slow=drop&delta=x",
	 "{\"id\":0,\"op\":\"subscribe\",\"channels\":[\"a\",\"b\",\"c\"],\"slow\":\"drop\",\"filter\":{\"session\":[\"\",\"\"]}}"},
	{"where=[]&agent=%22%5C&since=-5m",
	 "{\"id\":0,\"op\":\"subscribe\",\"since\":\"-5m\",\"filter\":{\"agent\":[\"\\\"\\\\\"],\"where\":[]}}"},
};

START_TEST(a_query_is_the_subscribe_that_means_the_same)
{
	struct api_request request = {.head = &client.head, .responder = &client.responder};
	char storage[256];
	const char *why;
	struct buf out;
	buf_init(&out);
	client.head.field_count = 0;
	ck_assert_int_eq(query_read(slice_of(requests[_i].query), storage, &request.query, &why), OK);
	ck_assert(events_request_write(&request, &out));
	ck_assert_msg(slice_is(buf_slice(&out), requests[_i].subscribe), "%.*s", (int)out.len, out.bytes);
	buf_fini(&out);
}
END_TEST

START_TEST(a_wish_that_memory_does_not_hold_is_answered_by_an_error)
{
	struct api_request request = {.responder = &client.responder};
	struct arena arena;
	struct wish wish;
	arena_init(&arena, 1);
	client = (struct client){.responder = {.ops = &fake_responder_ops}};
	wish_begin(&wish, &arena);
	wish_put_list(&wish, &request.query, "channels");
	ck_assert(!wish_end(&wish, &request));
	client_expect_error(&client, 500, "internal");
	arena_fini(&arena);
}
END_TEST

START_TEST(filters_by_every_parameter)
{
	ask("/v1/events", "");
	char target[256];
	snprintf(target, sizeof target, "/v1/events%s", filters[_i].query);
	ask(target, "");
	ck_assert_uint_eq(client.status, 200);
	record("trace:s1", "{\"agentId\":\"a1\",\"type\":\"x.y\",\"n\":7}", 100, 101);
	ck_assert_int_eq(next(), filters[_i].is_wanted);
}
END_TEST

static const struct {
	const char *target, *fields, *code, *message;
} refused[] = {
	{"/v1/events?channels=cats:*", "", "bad_filter", "channels"},
	{"/v1/events?channels=", "", "bad_filter", "channels"},
	{"/v1/events?session=", "", "bad_filter", "session"},
	{"/v1/events?where=%7B", "", "bad_request", "where: "},
	{"/v1/events?where=1", "", "bad_filter", "where"},
	{"/v1/events?where=%5B%7B%22op%22:%22=~%22%7D%5D", "", "bad_filter", "where"},
	{"/v1/events?where=%5B%5D,%22slow%22:%22drop%22", "", "bad_request", "where: "},
	{"/v1/events?since=yesterday", "", "bad_request", "since: "},
	{"/v1/events?since=", "", "bad_request", "since: "},
	{"/v1/events?lastEventId=x", "", "bad_request", "lastEventId: "},
	{"/v1/events?lastEventId=1-0", "Last-Event-ID: x\r\n", "bad_request", "Last-Event-ID: "},
	{"/v1/events", "Last-Event-ID: 1-0\r\nLast-Event-ID: 2-0\r\n", "bad_request", "Last-Event-ID: "},
	{"/v1/events?slow=never", "", "bad_request", "slow: "},
	{"/v1/events?agent=%zz", "", "bad_request", "%"},
	{"/v1/events?agent=%00", "", "bad_request", "%00"},
	{"/v1/events?agent=%FF", "", "bad_request", "UTF-8"},
	{"/v1/events?agent=a&agent=b", "", "bad_request", "twice"},
};

START_TEST(refuses_what_it_cannot_do_and_names_it)
{
	ask(refused[_i].target, refused[_i].fields);
	client_expect_error(&client, 400, refused[_i].code);
	buf_append_char(&client.body, '\0');
	ck_assert_msg(strstr(client.body.bytes, refused[_i].message), "%s", client.body.bytes);
}
END_TEST

START_TEST(gives_nothing_but_an_event_stream)
{
	ask("/v1/events", "Accept: application/json\r\n");
	client_expect_error(&client, 406, "not_acceptable");
	ask("/v1/events", "Accept: */*\r\n");
	ck_assert_uint_eq(client.status, 200);
}
END_TEST

START_TEST(head_tells_what_get_would)
{
	client_leaves(&client);
	client_asks(&client, "HEAD /v1/events", "");
	client_expect(&client, 200, "");
	ck_assert_str_eq(client.response.content_type, "text/event-stream");
	client_leaves(&client);
	client_asks(&client, "HEAD /v1/events?slow=never", "");
	client_expect(&client, 400, "");
	client_leaves(&client);
	client_asks(&client, "POST /v1/events", "");
	client_expect_error(&client, 405, "method_not_allowed");
}
END_TEST

/* What was asked for is seen by what the log is asked: everything behind that. */
static void expect_read_from(uint64_t ms)
{
	exchange_end_turn(exchange);
	ck_assert_uint_eq(question_count, 1);
	ck_assert_uint_eq(questions[0]->page.from.ms, ms);
}

static const struct {
	const char *target, *fields;
	uint64_t from_ms;
} sources[] = {
	{"/v1/events?since=10-0", "", 10},
	{"/v1/events?lastEventId=20-0.12345678", "", 20},
	{"/v1/events?lastEventId=20-0&since=10-0", "", 20},
	{"/v1/events?lastEventId=&since=10-0", "", 10},
	{"/v1/events?lastEventId=20-0&since=10-0", "Last-Event-ID: 30-0.12345678\r\n", 30},
	{"/v1/events?lastEventId=20-0&since=10-0", "Last-Event-ID:\r\n", 20},
	{"/v1/events?since=bad", "last-event-id: 30-0\r\n", 30},
};

START_TEST(the_header_wins_over_the_query)
{
	ask(sources[_i].target, sources[_i].fields);
	expect_read_from(sources[_i].from_ms);
	ck_assert_uint_eq(client.status, 0);
	const uint64_t ms[] = {40, 50};
	past_gives(0, ms, 2, true);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(client.status, 200);
	expect("message", "\"data\":{\"n\":40}");
	expect_last_id("40-0.12345678");
	expect("message", "\"data\":{\"n\":50}");
	expect_nothing();
}
END_TEST

START_TEST(a_cursor_of_another_log_is_told_as_a_gap)
{
	ask("/v1/events", "Last-Event-ID: 100-0.99999999\r\n");
	ck_assert_uint_eq(client.status, 200);
	expect("gap", "\"reason\":\"reset\"");
}
END_TEST

START_TEST(a_page_that_cannot_be_had_is_asked_for_again_on_the_open_stream)
{
	const uint64_t ms[] = {40};
	ask("/v1/events?since=10-0", "");
	exchange_end_turn(exchange);
	past_fails(0, ERR_CLOSED);
	exchange_end_turn(exchange);
	ck_assert_uint_eq(client.status, 200);
	expect_nothing();
	ck_assert_uint_eq(reader.retry_ms, 2000);
	expect_last_id("");
	question_free(questions[--question_count]);
	clock_fake_advance_ms(1001);
	exchange_end_turn(exchange);
	exchange_end_turn(exchange);
	expect_read_from(10);
	past_gives(0, ms, 1, true);
	exchange_end_turn(exchange);
	expect("message", "\"data\":{\"n\":40}");
	expect_nothing();
	ck_assert(!client.is_finished);
}
END_TEST

START_TEST(before_the_log_is_known_a_stream_waits_for_it)
{
	tear_down();
	past_start(true);
	sse_reader_init(&reader);
	read_bytes = 0;
	client = (struct client){.status = 0};
	ask("/v1/events?since=100-0", "");
	ck_assert_uint_eq(client.status, 200);
	tell_log(100);
	clock_fake_advance_ms(1001);
	exchange_end_turn(exchange);
	expect_nothing();
	expect_last_id("100-0.12345678");
	record("trace:s1", "{\"n\":1}", 100, 101);
	expect("message", "{\"n\":1}");
}
END_TEST

START_TEST(without_history_a_stream_is_live_only)
{
	tear_down();
	past_start(false);
	sse_reader_init(&reader);
	read_bytes = 0;
	client = (struct client){.status = 0};
	ask("/v1/events?since=earliest", "");
	ck_assert_uint_eq(client.status, 200);
	expect("gap", "\"after\":\"earliest\",\"before\":null,\"dropped\":null,\"reason\":\"unrecorded\"}");
	publish(exchange, "trace:s1", "{\"n\":1}");
	expect("message", "{\"channel\":\"trace:s1\"");
	expect_last_id("");
}
END_TEST

START_TEST(a_drained_stream_is_told_and_ends_between_two_messages)
{
	ask("/v1/events", "");
	record("trace:s1", "{\"n\":1}", 100, 101);
	exchange_drain(exchange, 0);
	exchange_end_turn(exchange);
	expect("message", "{\"n\":1}");
	expect("notice", "{\"op\":\"notice\",\"code\":\"draining\",\"reconnectInMs\":0}");
	ck_assert(client.is_finished && !client.is_cut);
	ck_assert(memcmp(client.body.bytes + client.body.len - 2, "\n\n", 2) == 0);
	ck_assert_uint_eq(reader.line.len + reader.data.len, 0);
}
END_TEST

START_TEST(a_client_that_reads_nothing_costs_one_write_and_resumes_from_the_log)
{
	uint64_t ms[50];
	ask("/v1/events", "");
	client.is_stuck = true;
	for (uint64_t i = 0; i < 50; i++) {
		ms[i] = 101 + i;
		char payload[32];
		snprintf(payload, sizeof payload, "{\"n\":%d}", (int)ms[i]);
		record("trace:s1", payload, 100 + i, 101 + i);
	}
	ck_assert_uint_eq(metric_read(METRIC_CATCHING_UP), 1);
	client_reads(&client);
	exchange_end_turn(exchange);
	if (question_count)
		past_gives(question_count - 1, ms + 1, 49, true);
	while (exchange_end_turn(exchange) <= clock_mono_ns())
		continue;
	for (uint64_t i = 0; i < 50; i++) {
		char part[32];
		snprintf(part, sizeof part, "\"data\":{\"n\":%d}", (int)ms[i]);
		expect("message", part);
	}
	expect_nothing();
}
END_TEST

START_TEST(too_slow_for_disconnect_ends_the_stream)
{
	ask("/v1/events?slow=disconnect", "");
	client.is_stuck = true;
	for (uint64_t i = 0; i < 200 && !client.is_finished; i++)
		record("trace:s1", "{\"n\":1}", 100 + i, 101 + i);
	ck_assert(client.is_finished);
	for (size_t i = 0; i < 3; i++)
		record("trace:s1", "{\"n\":1}", 300 + i, 301 + i);
}
END_TEST

START_TEST(comments_come_at_each_half_of_a_heartbeat)
{
	ask("/v1/events", "");
	for (unsigned i = 1; i < 5; i++) {
		clock_fake_advance_ms(HALF_BEAT_MS);
		exchange_end_turn(exchange);
		expect_nothing();
		ck_assert_uint_eq(reader.comments, i);
		expect_last_id("100-0.12345678");
	}
}
END_TEST

static struct port_delivery nothing_acknowledged(const struct responder *responder)
{
	(void)responder;
	return (struct port_delivery){.acked_bytes = 5, .has_unacked = true};
}

START_TEST(a_client_that_vanished_is_cut_off)
{
	struct responder_ops ops = fake_responder_ops;
	ops.delivery = nothing_acknowledged;
	ask("/v1/events", "");
	client.responder.ops = &ops;
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(!client.is_cut);
		clock_fake_advance_ms(HALF_BEAT_MS);
		exchange_end_turn(exchange);
	}
	ck_assert(client.is_cut);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_events");
	TCase *tests = tcase_create("api_events");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_stream_begins_with_the_time_to_wait_and_the_place);
	tcase_add_test(tests, events_come_live_as_they_were_published);
	tcase_add_loop_test(tests, a_query_is_the_subscribe_that_means_the_same, 0, sizeof requests / sizeof requests[0]);
	tcase_add_test(tests, a_wish_that_memory_does_not_hold_is_answered_by_an_error);
	tcase_add_loop_test(tests, filters_by_every_parameter, 0, sizeof filters / sizeof filters[0]);
	tcase_add_loop_test(tests, refuses_what_it_cannot_do_and_names_it, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(tests, gives_nothing_but_an_event_stream);
	tcase_add_test(tests, head_tells_what_get_would);
	tcase_add_loop_test(tests, the_header_wins_over_the_query, 0, sizeof sources / sizeof sources[0]);
	tcase_add_test(tests, a_cursor_of_another_log_is_told_as_a_gap);
	tcase_add_test(tests, a_page_that_cannot_be_had_is_asked_for_again_on_the_open_stream);
	tcase_add_test(tests, before_the_log_is_known_a_stream_waits_for_it);
	tcase_add_test(tests, without_history_a_stream_is_live_only);
	tcase_add_test(tests, a_drained_stream_is_told_and_ends_between_two_messages);
	tcase_add_test(tests, a_client_that_reads_nothing_costs_one_write_and_resumes_from_the_log);
	tcase_add_test(tests, too_slow_for_disconnect_ends_the_stream);
	tcase_add_test(tests, comments_come_at_each_half_of_a_heartbeat);
	tcase_add_test(tests, a_client_that_vanished_is_cut_off);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
