/* The log, end to end: publishers only PUBLISH, and every event has an id that is the same on every node, whoever records;
 * clients come back with it, on any node. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/codec/json.h"
#include "common/protocol/log.h"
#include "tests/support/gateway.h"
#include "tests/support/redis_server.h"
#include "tests/support/suite.h"
#include "tests/support/watcher.h"

#define NODES 2
#define EVENTS 2000
#define SESSIONS 4

static struct redis_server *redis;
static struct gateway *nodes[NODES];
static unsigned published;

static void start(void)
{
	const char *flags[] = {"--slow.threshold", "64k", NULL};
	redis = redis_server_start(NULL);
	for (int i = 0; i < NODES; i++)
		nodes[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	published = 0;
}

static void stop(void)
{
	for (int i = 0; i < NODES; i++)
		gateway_free(nodes[i]);
	redis_server_free(redis);
}

/* {"n":<number>}, each session in turn. */
static void publish(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char channel[32], payload[32];
		snprintf(channel, sizeof channel, "trace:s%u", published % SESSIONS);
		snprintf(payload, sizeof payload, "{\"n\":%u}", published);
		redis_server_publish(redis, slice_of(channel), slice_of(payload));
		published++;
	}
}

static long long length_of(const char *key)
{
	redisReply *reply = redis_server_command(redis, "XLEN %s", key);
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	long long length = reply->integer;
	freeReplyObject(reply);
	return length;
}

static struct record_id id_of(const struct watched *event)
{
	struct slice text;
	enum json_kind kind;
	struct record_id id;
	ck_assert_msg(json_find(event->json, SLICE_LITERAL("/id"), &text, &kind), "no id in %.*s", (int)event->json.len,
		      event->json.ptr);
	ck_assert_int_eq(record_id_parse((struct slice){text.ptr + 1, text.len - 2}, &id), OK);
	return id;
}

/* The next thing must be event number n, whose id is behind the one before. */
static struct record_id expect_number(struct watcher *watcher, unsigned n, struct record_id before)
{
	struct watched watched;
	char data[32];
	enum watched_kind kind = watcher_next(watcher, &watched, deadline_in(DEADLINE_MS));
	snprintf(data, sizeof data, "{\"n\":%u}", n);
	ck_assert_msg(kind == WATCHED_EVENT, "in place of event %u: %.*s", n, (int)watched.json.len, watched.json.ptr);
	ck_assert_msg(slice_is(watched.data, data), "in place of event %u: %.*s", n, (int)watched.data.len, watched.data.ptr);
	struct record_id id = id_of(&watched);
	ck_assert_int_gt(record_id_compare(id, before), 0);
	return id;
}

static int recorder(void)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	do {
		for (int i = 0; i < NODES; i++)
			if (process_is_running(gateway_process(nodes[i])) && gateway_metric(nodes[i], "recorder", "") == 1)
				return i;
	} while (deadline_next_look(deadline));
	ck_abort_msg("nobody records");
	return -1;
}

START_TEST(plain_publish_has_the_same_ids_on_both_nodes_and_is_in_the_log_once)
{
	static struct record_id ids[EVENTS];
	struct watcher watchers[NODES];
	for (int i = 0; i < NODES; i++)
		watcher_open(&watchers[i], gateway_port(nodes[i]), "");
	publish(EVENTS);
	for (int node = 0; node < NODES; node++) {
		struct record_id id = {0};
		for (unsigned n = 0; n < EVENTS; n++) {
			id = expect_number(&watchers[node], n, id);
			if (node == 0)
				ids[n] = id;
			ck_assert_int_eq(record_id_compare(id, ids[n]), 0);
		}
		watcher_close(&watchers[node]);
	}
	ck_assert_int_eq(length_of("tg:log"), EVENTS);
	for (unsigned i = 0; i < SESSIONS; i++) {
		char key[32];
		snprintf(key, sizeof key, "tg:session:s%u", i);
		ck_assert_int_eq(length_of(key), EVENTS / SESSIONS);
	}
	for (int i = 0; i < NODES; i++)
		gateway_end(nodes[i]);
	nodes[0] = nodes[1] = NULL;
}
END_TEST

START_TEST(identical_payloads_are_as_many_entries)
{
	struct watcher watcher;
	struct watched watched;
	struct record_id id = {0};
	watcher_open(&watcher, gateway_port(nodes[0]), "");
	for (int i = 0; i < 300; i++)
		redis_server_publish(redis, SLICE_LITERAL("agent:twin"), SLICE_LITERAL("{\"same\":true}"));
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
		ck_assert_int_gt(record_id_compare(id_of(&watched), id), 0);
		id = id_of(&watched);
	}
	ck_assert_int_eq(length_of("tg:log"), 300);
	watcher_close(&watcher);
}
END_TEST

START_TEST(another_node_goes_on_where_the_recorder_was_killed)
{
	struct watcher watcher;
	struct record_id id = {0};
	int dead = recorder(), alive = 1 - dead;
	watcher_open(&watcher, gateway_port(nodes[alive]), "");
	publish(500);
	process_signal(gateway_process(nodes[dead]), SIGKILL);
	publish(500);
	for (unsigned n = 0; n < published; n++)
		id = expect_number(&watcher, n, id);
	ck_assert_int_eq(length_of("tg:log"), published);
	ck_assert_int_eq(recorder(), alive);
	watcher_close(&watcher);
}
END_TEST

START_TEST(a_recorder_that_drains_hands_over_and_nothing_is_lost)
{
	struct watcher watcher;
	struct record_id id = {0};
	int leaving = recorder(), staying = 1 - leaving;
	watcher_open(&watcher, gateway_port(nodes[staying]), "");
	process_signal(gateway_process(nodes[leaving]), SIGTERM);
	while (process_is_running(gateway_process(nodes[leaving])))
		publish(20);
	publish(20);
	for (unsigned n = 0; n < published; n++)
		id = expect_number(&watcher, n, id);
	ck_assert_int_eq(length_of("tg:log"), published);
	watcher_close(&watcher);
}
END_TEST

START_TEST(a_client_comes_back_on_another_node_without_a_gap)
{
	struct watcher watcher;
	char members[128], text[RECORD_ID_TEXT];
	struct record_id id = {0};
	watcher_open(&watcher, gateway_port(nodes[0]), "\"channels\":[\"trace:*\"]");
	publish(100);
	for (unsigned n = 0; n < 40; n++)
		id = expect_number(&watcher, n, id);
	watcher_close(&watcher);
	publish(100);
	record_id_write(text, id);
	snprintf(members, sizeof members, "\"channels\":[\"trace:*\"],\"since\":\"%s\"", text);
	watcher_open(&watcher, gateway_port(nodes[1]), members);
	publish(100);
	for (unsigned n = 40; n < published; n++)
		id = expect_number(&watcher, n, id);
	watcher_close(&watcher);
}
END_TEST

START_TEST(a_node_that_starts_later_reads_the_log_for_who_resumes)
{
	struct watcher watcher;
	struct record_id id = {0};
	publish(1500);
	gateway_wait_metric(nodes[0], "events_in_total", "kind=\"trace\"", 1500);
	gateway_wait_metric(nodes[0], "pending_events", "", 0);
	struct gateway *late = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	watcher_open(&watcher, gateway_port(late), "\"channels\":[\"trace:*\"],\"since\":\"earliest\"");
	publish(100);
	for (unsigned n = 0; n < published; n++)
		id = expect_number(&watcher, n, id);
	gateway_wait_metric_at_least(late, "log_reads_total", "source=\"log\"", 1);
	watcher_close(&watcher);
	watcher_open(&watcher, gateway_port(late), "\"filter\":{\"session\":[\"s1\"]},\"since\":\"earliest\"");
	for (unsigned n = 1; n < published; n += SESSIONS)
		expect_number(&watcher, n, (struct record_id){0});
	gateway_wait_metric_at_least(late, "log_reads_total", "source=\"session\"", 1);
	watcher_close(&watcher);
	gateway_end(late);
}
END_TEST

START_TEST(a_slow_client_gets_everything_in_the_end)
{
	struct watcher slow;
	struct watched watched;
	static char payload[2048];
	unsigned count = 0, next = 0;
	watcher_open_small(&slow, gateway_port(nodes[0]), "\"channels\":[\"swarm:slow\"]");
	while (gateway_metric(nodes[0], "subscriptions_catching_up", "") < 1) {
		for (int i = 0; i < 200; i++) {
			int len = snprintf(payload, sizeof payload, "{\"n\":%u,\"fill\":\"%1500s\"}", count++, "x");
			redis_server_publish(redis, SLICE_LITERAL("swarm:slow"), (struct slice){payload, (size_t)len});
		}
		ck_assert_uint_lt(count, 100000);
	}
	while (next < count) {
		enum watched_kind kind = watcher_next(&slow, &watched, deadline_in(DEADLINE_MS));
		if (kind == WATCHED_NOTICE)
			continue;
		ck_assert_msg(kind == WATCHED_EVENT, "in place of event %u: %.*s", next, (int)watched.json.len, watched.json.ptr);
		ck_assert_uint_eq(strtoul(watched.data.ptr + 5, NULL, 10), next++);
	}
	gateway_wait_metric(nodes[0], "subscriptions_catching_up", "", 0);
	watcher_close(&slow);
}
END_TEST

static bool says(struct gateway *gateway, const char *path, const char *text)
{
	struct buf body;
	buf_init(&body);
	gateway_get(gateway, path, &body);
	bool is_said = memmem(body.bytes, body.len, text, strlen(text)) != NULL;
	buf_fini(&body);
	return is_said;
}

START_TEST(a_node_says_what_it_knows_of_the_log)
{
	struct watcher watcher;
	char last[RECORD_ID_TEXT], text[128];
	ck_assert(says(nodes[0], "/v1/node", "\"log\":{\"last\":null}"));
	ck_assert(says(nodes[0], "/readyz", "\"recorded\":true"));
	watcher_open(&watcher, gateway_port(nodes[0]), "");
	publish(1);
	record_id_write(last, expect_number(&watcher, 0, (struct record_id){0}));
	snprintf(text, sizeof text, "\"log\":{\"last\":\"%s\"}", last);
	ck_assert(says(nodes[0], "/v1/node", text));
	ck_assert(says(nodes[recorder()], "/v1/node", "\"recorder\":true"));
	ck_assert(says(nodes[1 - recorder()], "/v1/node", "\"recorder\":false"));
	watcher_close(&watcher);
}
END_TEST

START_TEST(without_history_there_are_no_ids_and_no_log)
{
	const char *flags[] = {"--history.enabled", "no", "--redis.prefix", "pure:", NULL};
	struct gateway *pure = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
	struct watcher watcher;
	struct watched watched;
	struct slice text;
	enum json_kind kind;
	watcher_open(&watcher, gateway_port(pure), "");
	struct slice reply = watcher_ask(&watcher, "{\"id\":2,\"op\":\"subscribe\",\"channels\":[\"agent:*\"]}");
	ck_assert_ptr_nonnull(memmem(reply.ptr, reply.len, "\"recorded\":false", 16));
	publish(10);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
		ck_assert(!json_find(watched.json, SLICE_LITERAL("/id"), &text, &kind));
	}
	redisReply *keys = redis_server_command(redis, "KEYS pure:*");
	ck_assert_uint_eq(keys->elements, 0);
	freeReplyObject(keys);
	ck_assert(!says(pure, "/readyz", "recorded"));
	watcher_close(&watcher);
	gateway_end(pure);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tests = tcase_create("log");
	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, plain_publish_has_the_same_ids_on_both_nodes_and_is_in_the_log_once);
	tcase_add_test(tests, identical_payloads_are_as_many_entries);
	tcase_add_test(tests, another_node_goes_on_where_the_recorder_was_killed);
	tcase_add_test(tests, a_recorder_that_drains_hands_over_and_nothing_is_lost);
	tcase_add_test(tests, a_client_comes_back_on_another_node_without_a_gap);
	tcase_add_test(tests, a_node_that_starts_later_reads_the_log_for_who_resumes);
	tcase_add_test(tests, a_slow_client_gets_everything_in_the_end);
	tcase_add_test(tests, a_node_says_what_it_knows_of_the_log);
	tcase_add_test(tests, without_history_there_are_no_ids_and_no_log);
	return suite_run(suite);
}
