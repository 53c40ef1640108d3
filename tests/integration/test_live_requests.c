/* What a client may ask for and what it is told: every request, every refusal, every filter, on real nodes. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/bystander.h"
#include "tests/support/gateway.h"
#include "tests/support/watcher.h"
#include "tests/support/suite.h"

#define NODES 3

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static struct bystander bystander;

static void start(void)
{
	const char *flags[] = {"--limits.subscriptions", "3", NULL};
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	bystander_join(&bystander, gateway_port(nodes[0]), redis);
}

static void stop(void)
{
	bystander_leave(&bystander);
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	redis_server_free(redis);
}

static void publish(const char *channel, const char *payload)
{
	redis_server_publish(redis, slice_of(channel), slice_of(payload));
}

static bool has(struct slice text, const char *part)
{
	return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static void expect_reply(struct watcher *watcher, const char *request, const char *part)
{
	struct slice reply = watcher_ask(watcher, request);
	ck_assert_msg(has(reply, part), "%s is answered by %.*s, not by %s", request, (int)reply.len, reply.ptr, part);
}

START_TEST(welcomes_with_everything_that_the_protocol_promises)
{
	static const char *const parts[] = {"{\"op\":\"welcome\",\"node\":\"",  "\"client\":\"",      "\"version\":\"",
					    "\"heartbeatMs\":30000",            "\"auth\":true",      "\"limits\":{",
					    "\"messageBytes\":65536",           "\"subscriptions\":3"};
	struct raw raw;
	struct raw_frame frame;
	raw_connect(&raw, gateway_port(nodes[0]));
	ck_assert_int_eq(raw_handshake(&raw, "/ws", ""), 101);
	raw_read_frame(&raw, &frame);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		ck_assert_msg(has(frame.payload, parts[i]), "no %s in %.*s", parts[i], (int)frame.payload.len, frame.payload.ptr);
	raw_close(&raw);
}
END_TEST

static const struct {
	const char *request, *reply;
} requests[] = {
	{"{\"id\":7,\"op\":\"ping\"}", "{\"id\":7,\"ok\":{\"now\":1"},
	{"{\"id\":\"\\u20ac\\n\",\"op\":\"ping\"}", "{\"id\":\"\xe2\x82\xac\\n\",\"ok\":"},
	{"{\"id\":18446744073709551615,\"op\":\"ping\"}", "{\"id\":18446744073709551615,\"ok\":"},
	{"{\"id\":-1.50e3,\"op\":\"ping\"}", "{\"id\":-1.50e3,\"ok\":"},
	{"{\"id\":1,\"op\":\"ping\",\"unknown\":[{}]}", "{\"id\":1,\"ok\":"},
	{"{\"id\":1,\"op\":\"auth\"}", "\"code\":\"bad_request\",\"message\":\"token: "},
	{"{\"id\":1,\"op\":\"fly\"}", "\"code\":\"unknown_op\""},
	{"{\"id\":1}", "\"code\":\"bad_request\",\"message\":\"op: "},
	{"{\"id\":1,\"op\":5}", "\"code\":\"bad_request\",\"message\":\"op: "},
	{"{\"id\":[1],\"op\":\"ping\"}", "{\"id\":null,\"error\":{\"code\":\"bad_request\",\"message\":\"id: "},
	{"{\"id\":1,\"id\":2,\"op\":\"ping\"}", "{\"id\":null,\"error\":{\"code\":\"bad_message\""},
	{"{\"id\":1,\"op\":\"ping\"} x", "{\"id\":null,\"error\":{\"code\":\"bad_message\""},
	{"{\"id\":1,\"op\":\"history\",\"session\":\"s\"}", "\"ok\":{\"events\":0,\"next\":null}"},
	{"{\"id\":1,\"op\":\"history\",\"to\":[]}", "\"code\":\"bad_request\",\"message\":\"to: "},
	{"{\"id\":1,\"op\":\"state\"}", "\"message\":\"session: missing"},
	{"{\"id\":1,\"op\":\"replay\",\"speed\":0}", "\"message\":\"speed: "},
	{"{\"id\":1,\"op\":\"control\"}", "\"message\":\"replay: "},
	{"{\"id\":1,\"op\":\"publish\",\"channel\":\"trace:1\",\"data\":1}", "\"ok\":{\"id\":\"1"},
	{"{\"id\":1,\"op\":\"publish\",\"channel\":\"trace:1\"}", "\"code\":\"bad_request\",\"message\":\"data: "},
	{"{\"id\":1,\"op\":\"unsubscribe\"}", "\"code\":\"bad_request\",\"message\":\"sub: "},
	{"{\"id\":1,\"op\":\"unsubscribe\",\"sub\":{}}", "\"code\":\"bad_request\",\"message\":\"sub: "},
	{"{\"id\":1,\"op\":\"unsubscribe\",\"sub\":\"x\"}", "\"code\":\"no_such_subscription\""},
	{"{\"id\":1,\"op\":\"subscribe\",\"channels\":\"trace:*\"}", "\"code\":\"bad_filter\",\"message\":\"channels"},
	{"{\"id\":1,\"op\":\"subscribe\",\"channels\":[]}", "\"code\":\"bad_filter\",\"message\":\"channels"},
	{"{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"trace:*\",7]}", "\"code\":\"bad_filter\",\"message\":\"channels[1]"},
	{"{\"id\":1,\"op\":\"subscribe\",\"channels\":[\"secret:*\"]}", "\"code\":\"bad_filter\",\"message\":\"channels[0]"},
	{"{\"id\":1,\"op\":\"subscribe\",\"slow\":\"never\"}", "\"code\":\"bad_request\",\"message\":\"slow: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"slow\":1}", "\"code\":\"bad_request\",\"message\":\"slow: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"since\":{}}", "\"code\":\"bad_request\",\"message\":\"since: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"delta\":\"xdelta\"}", "\"code\":\"bad_request\",\"message\":\"delta: "},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":[]}", "\"code\":\"bad_filter\",\"message\":\"filter"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"session\":\"s\"}}", "\"code\":\"bad_filter\",\"message\":\"filter.session"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"agent\":[]}}", "\"code\":\"bad_filter\",\"message\":\"filter.agent"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"type\":[null]}}", "\"code\":\"bad_filter\",\"message\":\"filter.type[0]"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"where\":{}}}", "\"code\":\"bad_filter\",\"message\":\"filter.where"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"where\":[{\"path\":\"x\",\"op\":\"==\",\"value\":1}]}}",
	 "\"code\":\"bad_filter\",\"message\":\"filter.where[0].path"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"where\":[{\"path\":\"/x\",\"op\":\"~\",\"value\":1}]}}",
	 "\"code\":\"bad_filter\",\"message\":\"filter.where[0].op"},
	{"{\"id\":1,\"op\":\"subscribe\",\"filter\":{\"where\":[{\"path\":\"/x\",\"op\":\"in\",\"value\":1}]}}",
	 "\"code\":\"bad_filter\",\"message\":\"filter.where[0].value"},
};

START_TEST(answers_each_request_once_and_names_what_is_wrong)
{
	struct watcher watcher;
	watcher_open(&watcher, gateway_port(nodes[0]), "\"channels\":[\"trace:quiet\"]");
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		expect_reply(&watcher, requests[i].request, requests[i].reply);
		expect_reply(&watcher, "{\"id\":\"next\",\"op\":\"ping\"}", "{\"id\":\"next\",\"ok\"");
	}
	watcher_close(&watcher);
}
END_TEST

/* What needs the past, where there is none. */
static const struct {
	const char *request, *reply;
} past_requests[] = {
	{"{\"id\":1,\"op\":\"history\",\"session\":\"s\"}", "\"code\":\"no_history\""},
	{"{\"id\":1,\"op\":\"publish\",\"channel\":\"trace:1\",\"data\":1}", "\"code\":\"unsupported\""},
	{"{\"id\":1,\"op\":\"subscribe\",\"since\":\"earliest\"}", "\"recorded\":false,\"recovered\":false"},
};

START_TEST(says_without_history_that_it_keeps_none)
{
	const char *flags[] = {"--history.enabled", "no", NULL};
	struct gateway *pure = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	struct watcher watcher;
	watcher_open(&watcher, gateway_port(pure), "\"channels\":[\"trace:quiet\"]");
	for (size_t i = 0; i < sizeof past_requests / sizeof past_requests[0]; i++)
		expect_reply(&watcher, past_requests[i].request, past_requests[i].reply);
	watcher_close(&watcher);
	gateway_end(pure);
}
END_TEST

START_TEST(executes_a_request_without_an_id_and_does_not_answer)
{
	struct watcher watcher;
	watcher_open(&watcher, gateway_port(nodes[0]), "\"channels\":[\"trace:quiet\"]");
	raw_send_frame(&watcher.raw, 0x81, SLICE_LITERAL("{\"op\":\"fly\"}"));
	raw_send_frame(&watcher.raw, 0x81, SLICE_LITERAL("{\"op\":\"ping\"}"));
	raw_send_frame(&watcher.raw, 0x81, SLICE_LITERAL("{\"op\":\"subscribe\",\"channels\":[\"agent:only\"]}"));
	expect_reply(&watcher, "{\"id\":\"next\",\"op\":\"ping\"}", "{\"id\":\"next\",\"ok\"");
	publish("agent:only", "{\"heard\":1}");
	watcher_expect(&watcher, "{\"heard\":1}");
	watcher_close(&watcher);
}
END_TEST

START_TEST(forgives_some_bad_messages_but_not_one_after_the_other)
{
	struct watcher watcher;
	struct watched watched;
	watcher_open(&watcher, gateway_port(nodes[0]), "\"channels\":[\"trace:quiet\"]");
	for (int i = 0; i < 20; i++) { /* a good one between two bad ones shows good will */
		expect_reply(&watcher, "{", "\"code\":\"bad_message\"");
		expect_reply(&watcher, "{\"id\":1,\"op\":\"ping\"}", "\"ok\"");
	}
	for (int i = 0; i < 5; i++)
		expect_reply(&watcher, "[1]", "\"code\":\"bad_message\"");
	raw_send_frame(&watcher.raw, 0x81, SLICE_LITERAL("true"));
	ck_assert_int_eq(watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_CLOSE);
	ck_assert_uint_eq(watched.code, 4400);
	watcher_close(&watcher);
}
END_TEST

START_TEST(limits_the_rate_of_commands_and_ends_a_flood)
{
	const char *flags[] = {"--limits.commands_per_second", "10", NULL};
	struct gateway *strict = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	struct watcher watcher;
	struct watched watched;
	struct buf flood;
	unsigned answered = 0, refused = 0;
	watcher_open(&watcher, gateway_port(strict), "\"channels\":[\"trace:quiet\"]");
	buf_init(&flood);
	for (int i = 0; i < 1000; i++)
		raw_frame_append(&flood, 0x81, SLICE_LITERAL("{\"id\":42,\"op\":\"ping\"}"));
	(void)raw_try_send(&watcher.raw, buf_slice(&flood));
	buf_fini(&flood);
	while (watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)) == WATCHED_REPLY) {
		answered += has(watched.json, "\"ok\"");
		if (!has(watched.json, "\"code\":\"rate_limited\""))
			continue;
		refused++;
		ck_assert(has(watched.json, "\"temporary\":true") && has(watched.json, "\"retryAfterMs\":"));
	}
	ck_assert_uint_ge(answered, 5);
	ck_assert_uint_ge(refused, 1);
	ck_assert_uint_le(answered, 40); /* a second's worth at once, and some seconds on a slow machine */
	ck_assert_msg(watched.kind == WATCHED_CLOSE && watched.code == 4429, "kind %d, code %u", (int)watched.kind, watched.code);
	watcher_close(&watcher);
	gateway_end(strict);
}
END_TEST

START_TEST(gives_equal_subscriptions_equal_keys_and_bounds_their_number)
{
	struct watcher one, two;
	const char *members = "\"channels\":[\"trace:*\",\"agent:*\"],\"filter\":{\"type\":[\"b\",\"a\"],\"session\":[\"s\"]}";
	const char *same = "{\"id\":2,\"op\":\"subscribe\",\"filter\":{\"session\":[\"s\",\"s\"],\"type\":[\"a\",\"b\"]},"
			   "\"channels\":[\"agent:*\",\"trace:*\",\"agent:*\"]}";
	char reply[256];
	watcher_open(&one, gateway_port(nodes[0]), members);
	watcher_open(&two, gateway_port(nodes[0]), members);
	ck_assert(slice_equal(buf_slice(&one.sub), buf_slice(&two.sub)));
	snprintf(reply, sizeof reply, "\"sub\":\"%.*s\"", (int)one.sub.len, one.sub.bytes);
	expect_reply(&one, same, reply);
	expect_reply(&one, "{\"id\":3,\"op\":\"subscribe\",\"channels\":[\"trace:1\"]}", "\"ok\"");
	expect_reply(&one, "{\"id\":4,\"op\":\"subscribe\",\"channels\":[\"trace:2\"]}", "\"ok\"");
	expect_reply(&one, "{\"id\":5,\"op\":\"subscribe\",\"channels\":[\"trace:3\"]}", "\"code\":\"too_many_subscriptions\"");
	expect_reply(&one, same, reply); /* the same again is none more */
	publish("trace:x", "{\"sessionId\":\"s\",\"type\":\"a\",\"n\":1}");
	watcher_expect(&one, "{\"sessionId\":\"s\",\"type\":\"a\",\"n\":1}");
	watcher_expect(&two, "{\"sessionId\":\"s\",\"type\":\"a\",\"n\":1}");
	publish("trace:3", "{\"n\":2}");
	publish("trace:1", "{\"n\":3}");
	watcher_expect(&one, "{\"n\":3}"); /* once, and nothing between */
	watcher_close(&one);
	watcher_close(&two);
}
END_TEST

START_TEST(stops_at_unsubscribe_and_not_before)
{
	struct watcher watcher;
	char request[256];
	watcher_open(&watcher, gateway_port(nodes[0]), "\"channels\":[\"trace:a\"]");
	expect_reply(&watcher, "{\"id\":2,\"op\":\"subscribe\",\"channels\":[\"trace:b\"]}", "\"ok\"");
	publish("trace:a", "1");
	watcher_expect(&watcher, "1");
	snprintf(request, sizeof request, "{\"id\":3,\"op\":\"unsubscribe\",\"sub\":\"%.*s\"}", (int)watcher.sub.len, watcher.sub.bytes);
	expect_reply(&watcher, request, "{\"id\":3,\"ok\":{}}");
	publish("trace:a", "2");
	publish("trace:b", "3");
	watcher_expect(&watcher, "3");
	expect_reply(&watcher, request, "\"code\":\"no_such_subscription\"");
	watcher_close(&watcher);
}
END_TEST

/* What subscriptions get of the events below: a letter for each. */
static const struct {
	const char *channel, *payload;
} sent[] = {
	{"trace:s1", "{\"e\":\"a\",\"sessionId\":\"s1\",\"agentId\":\"x\",\"type\":\"tool.call\",\"ms\":1500,\"tags\":[\"hot\",7]}"},
	{"trace:s2", "{\"e\":\"b\",\"session_id\":\"s2\",\"agent_id\":\"y\",\"event\":\"tool.end\",\"ms\":1500.0,\"deep\":{\"a/b\":[0,null]}}"},
	{"agent:x", "{\"e\":\"c\",\"agent\":\"x\",\"type\":\"llm.answer\",\"ms\":\"1500\",\"big\":9007199254740993}"},
	{"swarm:s1", "{\"e\":\"d\",\"type\":\"tool.call\",\"ms\":15,\"big\":9007199254740992}"},
	{"performance:cpu", "{\"e\":\"e\",\"session\":\"s1\",\"ms\":null,\"ok\":true}"},
	{"trace:end", "{\"e\":\"z\",\"sessionId\":\"end\"}"},
};

#define WHERE(condition) "\"filter\":{\"where\":[" condition "]}"
static const struct {
	const char *members, *wanted;
} selections[] = {
	{"", "abcdez"},
	{"\"channels\":[\"trace:*\"]", "abz"},
	{"\"channels\":[\"trace:s?\",\"swarm:s1\"]", "abd"},
	{"\"channels\":[\"trace:s[13]\",\"agent:[^y]\"]", "ac"},
	{"\"channels\":[\"trace:\\\\*\"]", ""},
	{"\"filter\":{\"session\":[\"s1\"]}", "ade"},
	{"\"filter\":{\"session\":[\"s1\",\"s2\",\"x\"]}", "abcde"},
	{"\"filter\":{\"agent\":[\"x\"]}", "ac"},
	{"\"filter\":{\"type\":[\"tool.*\"]}", "abd"},
	{"\"filter\":{\"type\":[\"tool.call\",\"llm.?nswer\"]}", "acd"},
	{"\"filter\":{\"session\":[\"s1\"],\"type\":[\"tool.call\"],\"agent\":[\"x\",\"y\"]}", "a"},
	{"\"channels\":[\"swarm:*\"],\"filter\":{\"session\":[\"s1\"]}", "d"},
	{WHERE("{\"path\":\"/ms\",\"op\":\"==\",\"value\":1500}"), "ab"},
	{WHERE("{\"path\":\"/ms\",\"op\":\"!=\",\"value\":1500}"), "cde"},
	{WHERE("{\"path\":\"/ms\",\"op\":\">\",\"value\":15}"), "ab"},
	{WHERE("{\"path\":\"/ms\",\"op\":\"<=\",\"value\":1.5e1}"), "d"},
	{WHERE("{\"path\":\"/ms\",\"op\":\">=\",\"value\":\"15\"}"), "c"},
	{WHERE("{\"path\":\"/ms\",\"op\":\"in\",\"value\":[15,null]}"), "de"},
	{WHERE("{\"path\":\"/big\",\"op\":\"==\",\"value\":9007199254740993}"), "c"},
	{WHERE("{\"path\":\"/tags\",\"op\":\"contains\",\"value\":7}"), "a"},
	{WHERE("{\"path\":\"/type\",\"op\":\"contains\",\"value\":\"ol.c\"}"), "ad"},
	{WHERE("{\"path\":\"/type\",\"op\":\"prefix\",\"value\":\"llm\"}"), "c"},
	{WHERE("{\"path\":\"/type\",\"op\":\"glob\",\"value\":\"*call\"}"), "ad"},
	{WHERE("{\"path\":\"/deep/a~1b/1\",\"op\":\"exists\"}"), "b"},
	{WHERE("{\"path\":\"/ms\",\"op\":\"exists\",\"value\":false}"), "z"},
	{WHERE("{\"path\":\"/ok\",\"op\":\"==\",\"value\":true}"), "e"},
	{WHERE("{\"path\":\"/ms\",\"op\":\">\",\"value\":0},{\"path\":\"/type\",\"op\":\"prefix\",\"value\":\"tool\"}"), "ad"},
};
enum { SELECTIONS = sizeof selections / sizeof selections[0] };

/* Everything that comes up to a last event on a channel that is asked for beside the selection. */
static void expect_selection(struct watcher *watcher, const char *wanted, const char *what)
{
	char got[16] = "";
	struct watched watched;
	for (size_t len = 0;; len++) {
		ck_assert_int_eq(watcher_next(watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
		if (slice_is(watched.channel, "trace:last"))
			break;
		ck_assert_uint_lt(len, sizeof got - 1);
		got[len] = watched.data.ptr[strlen("{\"e\":\"")];
	}
	ck_assert_msg(strcmp(got, wanted) == 0, "%s gets \"%s\", not \"%s\"", what, got, wanted);
}

START_TEST(selects_the_same_on_each_of_three_nodes)
{
	struct watcher watchers[SELECTIONS];
	for (size_t i = 0; i < SELECTIONS; i++) {
		watcher_open(&watchers[i], gateway_port(nodes[i % NODES]), selections[i].members);
		if (i > 0) /* the first gets all without it */
			expect_reply(&watchers[i], "{\"id\":2,\"op\":\"subscribe\",\"channels\":[\"trace:last\"]}", "\"ok\"");
	}
	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++)
		publish(sent[i].channel, sent[i].payload);
	publish("trace:last", "{\"sessionId\":\"last\",\"ms\":null}");
	for (size_t i = 0; i < SELECTIONS; i++) {
		expect_selection(&watchers[i], selections[i].wanted, selections[i].members);
		watcher_close(&watchers[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live_requests");
	TCase *tests = tcase_create("live_requests");
	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, welcomes_with_everything_that_the_protocol_promises);
	tcase_add_test(tests, says_without_history_that_it_keeps_none);
	tcase_add_test(tests, executes_a_request_without_an_id_and_does_not_answer);
	tcase_add_test(tests, forgives_some_bad_messages_but_not_one_after_the_other);
	tcase_add_test(tests, limits_the_rate_of_commands_and_ends_a_flood);
	tcase_add_test(tests, gives_equal_subscriptions_equal_keys_and_bounds_their_number);
	tcase_add_test(tests, stops_at_unsubscribe_and_not_before);
	tcase_add_test(tests, selects_the_same_on_each_of_three_nodes);
	tcase_add_test(tests, answers_each_request_once_and_names_what_is_wrong);
	return suite_run(suite);
}
