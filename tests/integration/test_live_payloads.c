/* Whatever PUBLISH can carry, on whatever channel: it arrives as the protocol says, and no other event or client suffers.
 * A second client gets every event too, in a batch of its own making. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/base64.h"
#include "common/codec/json.h"
#include "tests/support/gateway.h"
#include "tests/support/redis_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/watcher.h"
#include "tests/support/suite.h"

#define DEPTH_MAX 120 /* docs/protocol.md */
#define LARGE_BYTES ((size_t)10 * 1024 * 1024)

static struct redis_server *redis;
static struct gateway *gateway;
static struct watcher watcher, everything;

static void start(void)
{
	/* Sanitizers take seconds for the largest: nobody is stale or unrecorded for that. */
	const char *flags[] = {"--slow.threshold", "256m", "--limits.event_bytes", "16m", "--record.grace", "30s",
			       "--heartbeat.interval", "60s", "--redis.heartbeat", "10s", NULL};
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	watcher_open(&watcher, gateway_port(gateway), "");
	watcher_open(&everything, gateway_port(gateway), "\"channels\":[\"trace:*\"]");
}

static void stop(void)
{
	watcher_close(&watcher);
	watcher_close(&everything);
	gateway_end(gateway);
	redis_server_free(redis);
}

static void publish(struct slice channel, struct slice payload)
{
	redis_server_publish(redis, channel, payload);
}

/* The bytes that were published, got back from the event. */
static void decode(const struct watched *event, struct buf *ret_payload)
{
	buf_clear(ret_payload);
	if (event->format.len == 0) { /* the last member: what stands between "data": and the closing brace */
		const char *at = memmem(event->json.ptr, event->json.len, ",\"data\":", 8);
		ck_assert_ptr_nonnull(at);
		buf_append(ret_payload, at + 8, (size_t)(event->json.ptr + event->json.len - 1 - (at + 8)));
		return;
	}
	ck_assert_uint_ge(event->data.len, 2);
	struct slice inside = {event->data.ptr + 1, event->data.len - 2};
	char *room = buf_extend(ret_payload, inside.len + 1);
	size_t len = 0;
	ck_assert_ptr_nonnull(room);
	if (slice_is(event->format, "text"))
		len = json_unescape(inside, room);
	else
		ck_assert(slice_is(event->format, "base64") && base64_decode(inside, room, &len));
	ret_payload->len = len;
}

/* On a busy machine a client may be told that it is behind with a large event. */
static enum watched_kind next_but_notices(struct watcher *from, struct watched *ret_event)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	enum watched_kind kind;
	do
		kind = watcher_next(from, ret_event, deadline);
	while (kind == WATCHED_NOTICE);
	return kind;
}

static void expect_payload(struct watcher *from, struct slice payload, const char *format)
{
	struct watched event;
	struct buf got;
	ck_assert_int_eq(next_but_notices(from, &event), WATCHED_EVENT);
	buf_init(&got);
	decode(&event, &got);
	ck_assert_msg(slice_is(event.format, format), "format \"%.*s\" of %.*s, not \"%s\"", (int)event.format.len,
		      event.format.ptr ? event.format.ptr : "", (int)(event.data.len < 80 ? event.data.len : 80), event.data.ptr, format);
	ck_assert_msg(slice_equal(buf_slice(&got), payload), "%.*s came for %.*s", (int)(got.len < 80 ? got.len : 80), got.bytes,
		      (int)(payload.len < 80 ? payload.len : 80), payload.ptr);
	buf_fini(&got);
}

static void expect_good_event(void)
{
	publish(SLICE_LITERAL("trace:good"), SLICE_LITERAL("{\"good\":true}"));
	watcher_expect(&watcher, "{\"good\":true}");
	watcher_expect(&everything, "{\"good\":true}");
}

#define BYTES(text) SLICE_LITERAL(text)
static const struct {
	struct slice payload;
	const char *format;
} carried[] = {
	{{NULL, 0}, "text"},
	{BYTES(" "), "text"},
	{BYTES("not json"), "text"},
	{BYTES("\xff\xfe"), "base64"},
	{BYTES("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), "base64"},
	{BYTES("{\"a\":1}\n"), ""},
	{BYTES("{\"a\":\r\n1}"), ""},
	{BYTES("{\"a\":\"x\ny\"}"), "text"},
	{BYTES("a\nb\r\nc\rd"), "text"},
	{BYTES("{\"id\":9007199254740993,\"u\":18446744073709551615,\"b\":123456789012345678901234567890,\"f\":1.0,\"e\":1E400,"
	       "\"z\":-0,\"d\":0.1}"), ""},
	{BYTES("{\"v\":NaN}"), "text"},
	{BYTES("{\"v\":-Infinity}"), "text"},
	{BYTES("nan"), "text"},
	{BYTES("{\"a\":1,}"), "text"},
	{BYTES("{'a':1}"), "text"},
	{BYTES("/*x*/{}"), "text"},
	{BYTES("{\"a\":012}"), "text"},
	{BYTES("{\"a\":1} x"), "text"},
	{BYTES("{\"a\":1}{\"b\":2}"), "text"},
	{BYTES("\xef\xbb\xbf{}"), "text"},
	{BYTES("[1,2]"), ""},
	{BYTES("\"text\""), ""},
	{BYTES("42"), ""},
	{BYTES("true"), ""},
	{BYTES("null"), ""},
	{BYTES("{\"s\":\"\\ud800\"}"), ""},
	{BYTES("{\"\\udc00\":\"\\udc00\\ud800\"}"), ""},
	{BYTES("{\"s\":\"\xed\xa0\x80\"}"), "base64"},
	{BYTES("\xc0\xaf"), "base64"},
	{BYTES("\xf4\x90\x80\x80"), "base64"},
	{BYTES("{\"s\":\"a\0b\"}"), "text"},
	{BYTES("{}\0"), "text"},
	{BYTES("{\"agent_id\\u0000x\":\"evil\",\"agent_id\":\"me\"}"), ""},
	{BYTES("\xe2\x80\xa8 \x7f \xf0\x9f\x98\x80 \x01\x1b[31m"), "text"},
	{BYTES("\"},{\"op\":\"notice\""), "text"},
	{BYTES("]}"), "text"},
	{BYTES("{\"a\":1,\"a\":2}"), ""},
};
enum { CARRIED = sizeof carried / sizeof carried[0] };

START_TEST(carries_any_payload_byte_for_byte_between_good_events)
{
	for (size_t i = 0; i < CARRIED; i++) {
		publish(SLICE_LITERAL("trace:any"), carried[i].payload);
		publish(SLICE_LITERAL("trace:any"), SLICE_LITERAL("{\"behind\":1}"));
		expect_payload(&watcher, carried[i].payload, carried[i].format);
		watcher_expect(&watcher, "{\"behind\":1}");
		expect_payload(&everything, carried[i].payload, carried[i].format);
		watcher_expect(&everything, "{\"behind\":1}");
	}
}
END_TEST

START_TEST(carries_them_a_thousand_times_in_one_stream)
{
	enum { ROUNDS = IS_SANITIZED ? 100 : 1000 };
	static struct publication all[CARRIED];
	for (size_t i = 0; i < CARRIED; i++)
		all[i] = (struct publication){SLICE_LITERAL("trace:any"), carried[i].payload};
	for (int round = 0; round < ROUNDS; round++) {
		redis_server_publish_many(redis, all, CARRIED);
		for (size_t i = 0; i < CARRIED; i++) {
			expect_payload(&watcher, carried[i].payload, carried[i].format);
			expect_payload(&everything, carried[i].payload, carried[i].format);
		}
	}
}
END_TEST

/* n times the opening, something, n times the closing. */
static void nest(struct buf *out, size_t n, const char *opening, const char *closing)
{
	buf_clear(out);
	for (size_t i = 0; i < n; i++)
		buf_append_text(out, opening);
	buf_append_text(out, "0");
	for (size_t i = 0; i < n; i++)
		buf_append_text(out, closing);
	ck_assert(!buf_has_failed(out));
}

START_TEST(takes_nesting_up_to_its_limit_as_json_and_beyond_as_text)
{
	static const size_t depths[] = {31, 32, 33, 64, DEPTH_MAX, DEPTH_MAX + 2, 100000};
	struct buf payload;
	buf_init(&payload);
	for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
		const char *format = depths[i] <= DEPTH_MAX ? "" : "text";
		nest(&payload, depths[i], "[", "]");
		publish(SLICE_LITERAL("trace:deep"), buf_slice(&payload));
		expect_payload(&watcher, buf_slice(&payload), format);
		expect_payload(&everything, buf_slice(&payload), format);
		nest(&payload, depths[i] / 2, "[{\"\":", "}]");
		publish(SLICE_LITERAL("trace:deep"), buf_slice(&payload));
		expect_payload(&watcher, buf_slice(&payload), format);
		expect_payload(&everything, buf_slice(&payload), format);
	}
	buf_fini(&payload);
	expect_good_event();
}
END_TEST

START_TEST(carries_large_payloads_whole_and_drops_what_is_over_the_limit)
{
	struct buf payload;
	buf_init(&payload);
	buf_append_text(&payload, "{\"x\":\"");
	char *text = buf_extend(&payload, LARGE_BYTES);
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', LARGE_BYTES);
	buf_append_text(&payload, "\"}");
	publish(SLICE_LITERAL("trace:large"), buf_slice(&payload));
	expect_payload(&watcher, buf_slice(&payload), "");
	expect_payload(&everything, buf_slice(&payload), "");
	payload.bytes[0] = '\xff';
	publish(SLICE_LITERAL("trace:large"), buf_slice(&payload));
	expect_payload(&watcher, buf_slice(&payload), "base64");
	expect_payload(&everything, buf_slice(&payload), "base64");
	ck_assert_ptr_nonnull(buf_extend(&payload, LARGE_BYTES));
	publish(SLICE_LITERAL("trace:large"), buf_slice(&payload)); /* above limits.event_bytes */
	expect_good_event();
	ck_assert_double_ge(gateway_metric(gateway, "events_dropped_total", "reason=\"oversize\""), 1);
	buf_fini(&payload);
}
END_TEST

/* Channels and whether a subscription to everything gets them. */
static const struct {
	struct slice channel;
	bool is_served;
} names[] = {
	{BYTES("trace:.json"), true},   {BYTES("trace:a:b:c"), true},   {BYTES("trace:"), true},
	{BYTES("trace:%2e%2e"), true},  {BYTES("trace:[a]"), true},     {BYTES("trace:a*b"), true},
	{BYTES("trace:\\"), true},      {BYTES("trace:a\"b\n"), true},  {BYTES("trace:\xe2\x82\xac"), true},
	{BYTES("trace:a\0b"), true},    {BYTES("TRACE:1"), false},      {BYTES("trace"), false},
	{BYTES("secret:1"), false},     {BYTES("tg:live"), false},      {BYTES("performance:"), true},
};

START_TEST(names_any_channel_safely_and_serves_only_its_own)
{
	struct watched event;
	char payload[32];
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(payload, sizeof payload, "{\"n\":%zu}", i);
		publish(names[i].channel, slice_of(payload));
		if (names[i].is_served) {
			ck_assert_int_eq(watcher_next(&watcher, &event, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
			ck_assert_msg(slice_is(event.data, payload) && slice_equal(event.channel, names[i].channel), "%.*s came on %.*s",
				      (int)event.json.len, event.json.ptr, (int)names[i].channel.len, names[i].channel.ptr);
		}
		publish(SLICE_LITERAL("agent:behind"), SLICE_LITERAL("1"));
		watcher_expect(&watcher, "1");
	}
}
END_TEST

START_TEST(survives_channel_names_that_are_huge_or_no_text)
{
	struct buf name;
	buf_init(&name);
	buf_append_text(&name, "trace:");
	char *rest = buf_extend(&name, 1024 * 1024);
	ck_assert_ptr_nonnull(rest);
	memset(rest, 'n', 1024 * 1024);
	publish(buf_slice(&name), SLICE_LITERAL("{}"));
	publish(SLICE_LITERAL("trace:\xff\xfe"), SLICE_LITERAL("{}"));
	publish(SLICE_LITERAL("trace:good"), SLICE_LITERAL("{\"good\":true}"));
	/* Whether they are delivered is not promised; that what is sent is strict JSON, and goes on, is. */
	ck_assert_uint_le(watcher_skip_to(&watcher, "{\"good\":true}", NULL), 2);
	ck_assert_uint_le(watcher_skip_to(&everything, "{\"good\":true}", NULL), 2);
	expect_good_event();
	buf_fini(&name);
}
END_TEST

START_TEST(matches_literal_glob_characters_only_when_they_are_escaped)
{
	struct watcher escaped, class;
	watcher_open(&escaped, gateway_port(gateway), "\"channels\":[\"trace:a\\\\*b\"]");
	watcher_open(&class, gateway_port(gateway), "\"channels\":[\"trace:[[]a]\"]");
	publish(SLICE_LITERAL("trace:axb"), SLICE_LITERAL("1"));
	publish(SLICE_LITERAL("trace:a*b"), SLICE_LITERAL("2"));
	publish(SLICE_LITERAL("trace:a"), SLICE_LITERAL("3"));
	publish(SLICE_LITERAL("trace:[a]"), SLICE_LITERAL("4"));
	watcher_expect(&escaped, "2");
	watcher_expect(&class, "4");
	watcher_close(&escaped);
	watcher_close(&class);
}
END_TEST

START_TEST(matches_a_hostile_pattern_in_no_time)
{
	struct buf request, name;
	struct watcher hostile;
	buf_init(&request);
	buf_init(&name);
	watcher_open(&hostile, gateway_port(gateway), "\"channels\":[\"agent:none\"]");
	buf_append_text(&request, "{\"id\":2,\"op\":\"subscribe\",\"channels\":[\"trace:");
	for (int i = 0; i < 5000; i++)
		buf_append_text(&request, "*a");
	buf_append(&request, "\"]}", 4);
	buf_append_text(&name, "trace:");
	for (int i = 0; i < 10000; i++)
		buf_append_char(&name, i % 2 ? 'b' : 'a');
	(void)watcher_ask(&hostile, request.bytes); /* accepted or refused, both are well */
	uint64_t before_ms = process_cpu_ms(gateway_process(gateway));
	for (int i = 0; i < 50; i++)
		publish(buf_slice(&name), SLICE_LITERAL("{}"));
	publish(SLICE_LITERAL("trace:good"), SLICE_LITERAL("{\"good\":true}"));
	ck_assert_uint_eq(watcher_skip_to(&watcher, "{\"good\":true}", NULL), 50);
	ck_assert_uint_lt(process_cpu_ms(gateway_process(gateway)) - before_ms, 3000);
	watcher_close(&hostile);
	buf_fini(&request);
	buf_fini(&name);
}
END_TEST

START_TEST(keeps_the_fields_of_the_client_and_of_the_filter_the_same)
{
	struct watcher me, evil;
	static const char *const payloads[] = {"{\"agentId\\u0000x\":\"evil\",\"agentId\":\"me\"}",
					       "{\"agentId\":\"me\",\"agentId\\u0000x\":\"evil\"}", "{\"agent\\u0049d\":\"me\"}"};
	watcher_open(&me, gateway_port(gateway), "\"filter\":{\"agent\":[\"me\"]}");
	watcher_open(&evil, gateway_port(gateway), "\"filter\":{\"agent\":[\"evil\"]}");
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
		publish(SLICE_LITERAL("trace:1"), slice_of(payloads[i]));
	publish(SLICE_LITERAL("trace:1"), SLICE_LITERAL("{\"agentId\":\"evil\"}"));
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
		watcher_expect(&me, payloads[i]);
	watcher_expect(&evil, "{\"agentId\":\"evil\"}");
	watcher_close(&me);
	watcher_close(&evil);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_payloads");
	TCase *tests = tcase_create("live_payloads");
	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, carries_any_payload_byte_for_byte_between_good_events);
	tcase_add_test(tests, carries_them_a_thousand_times_in_one_stream);
	tcase_add_test(tests, takes_nesting_up_to_its_limit_as_json_and_beyond_as_text);
	tcase_add_test(tests, carries_large_payloads_whole_and_drops_what_is_over_the_limit);
	tcase_add_test(tests, names_any_channel_safely_and_serves_only_its_own);
	tcase_add_test(tests, survives_channel_names_that_are_huge_or_no_text);
	tcase_add_test(tests, matches_literal_glob_characters_only_when_they_are_escaped);
	tcase_add_test(tests, matches_a_hostile_pattern_in_no_time);
	tcase_add_test(tests, keeps_the_fields_of_the_client_and_of_the_filter_the_same);
	return suite_run(suite);
}
