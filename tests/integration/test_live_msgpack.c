/* A client that speaks MessagePack to a real node, beside one that speaks JSON on the same channels: both get every event, each in
 * its own encoding, and requests are answered in the encoding in which they came. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/msgpack.h"
#include "tests/support/gateway.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/watcher.h"

#define BINARY 0x82
#define TEXT 0x81
#define SUBPROTOCOL "Sec-WebSocket-Protocol: tracegate.v1.msgpack\r\n"
#define ARENA_BYTES ((size_t)32 * 1024 * 1024)

static struct redis_server *redis;
static struct gateway *gateway;
static struct raw client;
static struct watcher watcher;
static struct arena arena;
static struct buf json;

/* The next message, which must be binary, one value, and nothing behind it; pings are left aside. */
static const struct value *read_message(void)
{
	struct raw_frame frame;
	struct value *message = NULL;
	struct msgpack_error problem = {0, ""};
	do
		raw_read_frame(&client, &frame);
	while (frame.first == 0x89);
	ck_assert_uint_eq(frame.first, BINARY);
	arena_reset(&arena);
	enum err error = msgpack_decode(&arena, frame.payload, &message, &problem);
	ck_assert_msg(error == OK, "%s at byte %zu", problem.message, problem.at);
	return message;
}

static const char *json_of(const struct value *value)
{
	buf_clear(&json);
	if (value)
		json_encode(&json, value);
	buf_append_char(&json, '\0');
	ck_assert(!buf_has_failed(&json));
	return json.bytes;
}

static void say(const char *request)
{
	struct buf packed;
	buf_init(&packed);
	ck_assert_int_eq(msgpack_append_json(&packed, slice_of(request)), OK);
	raw_send_frame(&client, BINARY, buf_slice(&packed));
	buf_fini(&packed);
}

static const struct value *ask(const char *request)
{
	say(request);
	return read_message();
}

static void expect(const struct value *message, const char *member, const char *expected)
{
	ck_assert_str_eq(json_of(value_get(message, member)), expected);
}

static const struct value *error_of(const struct value *reply)
{
	const struct value *error = value_get(reply, "error");
	ck_assert_msg(error != NULL, "%s", json_of(reply));
	return error;
}

static void open_client(void)
{
	raw_connect(&client, gateway_port(gateway));
	ck_assert_int_eq(raw_handshake(&client, "/v1/stream", SUBPROTOCOL), 101);
	expect(read_message(), "op", "\"welcome\"");
}

static void start(void)
{
	const char *flags[] = {"--slow.threshold", "256m", "--limits.event_bytes", "16m", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	arena_init(&arena, ARENA_BYTES);
	buf_init(&json);
	watcher_open(&watcher, gateway_port(gateway), "\"channels\":[\"trace:*\"]");
	open_client();
}

static void stop(void)
{
	raw_close(&client);
	watcher_close(&watcher);
	arena_fini(&arena);
	buf_fini(&json);
	gateway_end(gateway);
	redis_server_free(redis);
}

static void subscribe(void)
{
	const struct value *ok = value_get(ask("{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:*\"]}"), "ok");
	ck_assert_ptr_nonnull(ok);
	expect(ok, "recorded", "true");
}

/* The only event of the message that comes next. */
static const struct value *read_event(void)
{
	const struct value *message = read_message(), *events = value_get(message, "events");
	ck_assert_msg(events && events->kind == VALUE_ARRAY && events->list.count == 1, "%s", json_of(message));
	return events->list.first;
}

#define BYTES(text) SLICE_LITERAL(text)

/* What is published, and the part of the event that tells it, read as JSON. */
static const struct {
	struct slice payload;
	const char *member, *value, *format;
} carried[] = {
    {BYTES("{\"a\": [1, -2, 0.5], \"s\":\"\\u00e9\"}"), "data", "{\"a\":[1,-2,0.5],\"s\":\"\xc3\xa9\"}", ""},
    {BYTES("{\"id\":9007199254740993,\"u\":18446744073709551615,\"d\":0.1}"), "data",
     "{\"id\":9007199254740993,\"u\":18446744073709551615,\"d\":0.1}", ""},
    {BYTES("{\"id\":9007199254740993,\"b\":123456789012345678901234567890,\"f\":1.0,\"e\":1E400,\"z\":-0}"), "json",
     "\"{\\\"id\\\":9007199254740993,\\\"b\\\":123456789012345678901234567890,\\\"f\\\":1.0,\\\"e\\\":1E400,\\\"z\\\":-0}\"", ""},
    {BYTES("[1,2]"), "data", "[1,2]", ""},
    {BYTES("null"), "data", "null", ""},
    {BYTES("{\"s\":\"\\ud800\"}"), "data", "{\"s\":\"\xef\xbf\xbd\"}", ""},
    {BYTES("plain words"), "data", "\"plain words\"", "\"text\""},
    {BYTES("{\"v\":NaN}"), "data", "\"{\\\"v\\\":NaN}\"", "\"text\""},
    {{NULL, 0}, "data", "\"\"", "\"text\""},
    {BYTES("\xff\xfe"), "data", "\"//4=\"", "\"base64\""},
};

START_TEST(gives_each_payload_in_the_encoding_of_each_client)
{
	subscribe();
	for (size_t i = 0; i < sizeof carried / sizeof *carried; i++) {
		struct watched watched;
		redis_server_publish(redis, BYTES("trace:s1"), carried[i].payload);
		const struct value *event = read_event();
		expect(event, "channel", "\"trace:s1\"");
		expect(event, carried[i].member, carried[i].value);
		expect(event, "format", carried[i].format);
		ck_assert_ptr_null(value_get(event, carried[i].member[0] == 'd' ? "json" : "data"));
		ck_assert_int_eq(watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
		ck_assert(*carried[i].format || slice_equal(watched.data, carried[i].payload));
		/* The same event has the same id in both. */
		ck_assert_ptr_nonnull(memmem(watched.json.ptr, watched.json.len, json_of(value_get(event, "id")), json.len - 1));
	}
}
END_TEST

START_TEST(carries_any_depth_and_length_that_json_does)
{
	enum { DEPTH = 120, LENGTH = 1000000 };
	struct buf payload;
	buf_init(&payload);
	subscribe();
	memset(buf_extend(&payload, DEPTH), '[', DEPTH);
	memset(buf_extend(&payload, DEPTH), ']', DEPTH);
	redis_server_publish(redis, BYTES("trace:s1"), buf_slice(&payload));
	size_t depth = 1;
	for (const struct value *list = value_get(read_event(), "data"); list->list.first; list = list->list.first)
		depth++;
	ck_assert_uint_eq(depth, DEPTH);
	buf_clear(&payload);
	buf_append_char(&payload, '"');
	memset(buf_extend(&payload, LENGTH), 'x', LENGTH);
	buf_append_char(&payload, '"');
	redis_server_publish(redis, BYTES("trace:s1"), buf_slice(&payload));
	ck_assert_uint_eq(value_get(read_event(), "data")->text.len, LENGTH);
	buf_fini(&payload);
}
END_TEST

START_TEST(stores_what_a_client_publishes_in_it)
{
	subscribe();
	say("{\"id\":2,\"op\":\"publish\",\"channel\":\"trace:s1\",\"data\":{\"f\":1.0,\"n\":[9007199254740993,null,\"\\u0000\"]}}");
	bool has_reply = false, has_event = false;
	while (!has_reply || !has_event) {
		const struct value *message = read_message();
		if (value_get(message, "ok")) {
			has_reply = true;
		} else {
			has_event = true;
			/* msgpack_decode() takes the double 1.0 for an integer. */
			expect(value_get(message, "events")->list.first, "data", "{\"f\":1,\"n\":[9007199254740993,null,\"\\u0000\"]}");
		}
	}
	watcher_expect(&watcher, "{\"f\":1.0,\"n\":[9007199254740993,null,\"\\u0000\"]}");
}
END_TEST

START_TEST(answers_history_and_goes_on_from_a_cursor)
{
	enum { EVENTS = 300 };
	size_t count = 0;
	for (int i = 0; i < EVENTS; i++)
		redis_server_do(redis, "PUBLISH trace:s1 {\"sessionId\":\"s1\",\"n\":%d}", i);
	watcher_skip_to(&watcher, "{\"sessionId\":\"s1\",\"n\":299}", NULL);
	const struct value *message = ask("{\"id\":\"h\",\"op\":\"history\",\"session\":\"s1\",\"chunk\":100}");
	for (uint64_t seq = 0; value_get(message, "op"); seq++, message = read_message()) {
		expect(message, "op", "\"chunk\"");
		expect(message, "id", "\"h\"");
		ck_assert_uint_eq(value_get(message, "seq")->uint, seq);
		for (const struct value *event = value_get(message, "events")->list.first; event; event = event->next)
			ck_assert_uint_eq(value_get(value_get(event, "data"), "n")->uint, count++);
	}
	expect(value_get(message, "ok"), "events", "300");
	ck_assert_uint_eq(count, EVENTS);
	count = 0;
	message = ask("{\"id\":3,\"op\":\"subscribe\",\"channels\":[\"trace:*\"],\"since\":\"earliest\"}");
	expect(value_get(message, "ok"), "recovered", "true");
	while (count < EVENTS) {
		const struct value *events = value_get(read_message(), "events");
		for (const struct value *event = events ? events->list.first : NULL; event; event = event->next)
			ck_assert_uint_eq(value_get(value_get(event, "data"), "n")->uint, count++);
	}
}
END_TEST

START_TEST(answers_errors_in_it)
{
	expect(error_of(ask("{\"id\":1,\"op\":\"dance\"}")), "code", "\"unknown_op\"");
	expect(error_of(ask("{\"id\":1.5,\"op\":\"subscribe\",\"channels\":7}")), "code", "\"bad_filter\"");
	const struct value *reply = ask("{\"id\":1.5,\"op\":\"history\",\"limit\":0,\"session\":\"s1\"}");
	expect(reply, "id", "1.5");
	raw_send_frame(&client, BINARY, BYTES("\x82\xa2op\xa4ping\xa2op\xa4ping"));
	reply = read_message();
	expect(reply, "id", "null");
	expect(error_of(reply), "code", "\"bad_message\"");
	expect(error_of(reply), "message", "\"not MessagePack as a request may be: duplicate key at byte 17\"");
	reply = ask("{\"id\":18446744073709551615,\"op\":\"ping\"}");
	expect(reply, "id", "18446744073709551615");
	ck_assert_ptr_nonnull(value_get(reply, "ok"));
}
END_TEST

static const struct {
	struct slice message;
	const char *name;
} unreadable[] = {
    {BYTES("\xc1"), "c1"},
    {BYTES("\x92\x01"), "cut"},
    {BYTES("\x81\x01\x02"), "a key that is an integer"},
    {BYTES("\x80\x80"), "trailing bytes"},
    {BYTES("\x81\xa2id\xd6\xff\x00\x00\x00\x00"), "an ext"},
};

START_TEST(goes_on_after_messages_that_cannot_be_read_and_closes_at_the_sixth)
{
	for (size_t i = 0; i < sizeof unreadable / sizeof *unreadable; i++) {
		raw_send_frame(&client, BINARY, unreadable[i].message);
		expect(error_of(read_message()), "code", "\"bad_message\"");
	}
	raw_send_frame(&client, BINARY, SLICE_NONE);
	raw_expect_close(&client, 4400);
}
END_TEST

START_TEST(refuses_nesting_of_ten_thousand)
{
	char deep[10000];
	memset(deep, '\x91', sizeof deep);
	raw_send_frame(&client, BINARY, (struct slice){deep, sizeof deep});
	expect(error_of(read_message()), "message", "\"not MessagePack as a request may be: nested too deeply at byte 128\"");
}
END_TEST

START_TEST(closes_on_a_frame_of_the_other_kind)
{
	raw_send_frame(&client, TEXT, BYTES("{\"id\":1,\"op\":\"ping\"}"));
	raw_expect_close(&client, 1003);
	redis_server_publish(redis, BYTES("trace:s1"), BYTES("[7]"));
	watcher_expect(&watcher, "[7]");
}
END_TEST

START_TEST(keeps_its_members_of_a_cohort_apart_from_those_of_json)
{
	enum { EVENTS = 1000 };
	subscribe();
	for (int i = 0; i < EVENTS; i++)
		redis_server_do(redis, "PUBLISH trace:s1 {\"n\":%d}", i);
	size_t count = 0;
	while (count < EVENTS) {
		const struct value *events = value_get(read_message(), "events");
		ck_assert_ptr_nonnull(events);
		for (const struct value *event = events->list.first; event; event = event->next)
			ck_assert_uint_eq(value_get(value_get(event, "data"), "n")->uint, count++);
	}
	for (int i = 0; i < EVENTS; i++) {
		char data[32];
		snprintf(data, sizeof data, "{\"n\":%d}", i);
		watcher_expect(&watcher, data);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_msgpack");
	TCase *cases = tcase_create("live_msgpack");
	tcase_add_checked_fixture(cases, start, stop);
	tcase_add_test(cases, gives_each_payload_in_the_encoding_of_each_client);
	tcase_add_test(cases, carries_any_depth_and_length_that_json_does);
	tcase_add_test(cases, stores_what_a_client_publishes_in_it);
	tcase_add_test(cases, answers_history_and_goes_on_from_a_cursor);
	tcase_add_test(cases, answers_errors_in_it);
	tcase_add_test(cases, goes_on_after_messages_that_cannot_be_read_and_closes_at_the_sixth);
	tcase_add_test(cases, refuses_nesting_of_ten_thousand);
	tcase_add_test(cases, closes_on_a_frame_of_the_other_kind);
	tcase_add_test(cases, keeps_its_members_of_a_cohort_apart_from_those_of_json);
	suite_add_tcase(suite, cases);
	return suite_run(suite);
}
