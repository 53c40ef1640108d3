/* The state of sessions on real nodes: what is published, and what two nodes say of it, over HTTP and over the WebSocket. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"
#include "tests/support/watcher.h"

#define EVENTS (IS_SANITIZED ? 9000 : 20000)
#define SPANS 50

static struct redis_server *redis;
static struct gateway *gateways[2];
static struct http_answer answer;

static void start(void)
{
	redis = redis_server_start(NULL);
	for (size_t i = 0; i < 2; i++)
		gateways[i] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
}

static void stop(void)
{
	http_answer_free(&answer);
	gateway_free(gateways[0]);
	gateway_free(gateways[1]);
	redis_server_free(redis);
}

static void get(size_t node, const char *query, int status, const char *part)
{
	char head[512];
	http_answer_free(&answer);
	snprintf(head, sizeof head, "GET /v1/state?%s HTTP/1.1\r\nHost: 127.0.0.1\r\n", query);
	http_ask_once(gateway_port(gateways[node]), head, NULL, &answer);
	http_expect(&answer, status, part);
}

static long long number(const char *command)
{
	redisReply *reply = redis_server_command(redis, command);
	long long number = reply->integer;
	freeReplyObject(reply);
	return number;
}

static void wait_number(const char *command, long long at_least)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while (number(command) < at_least)
		ck_assert_msg(deadline_next_look(deadline), "%s: %lld, %lld are wanted", command, number(command), at_least);
}

/* Event n is about span n % SPANS; recorded in order, all of them. */
static void publish(unsigned from, unsigned count)
{
	char (*payloads)[128] = calloc(count, sizeof *payloads);
	struct publication *publications = calloc(count, sizeof *publications);
	for (unsigned i = 0; i < count; i++) {
		unsigned n = from + i;
		snprintf(payloads[i], sizeof payloads[i], "{\"type\":\"tick\",\"spanId\":\"sp%u\",\"state\":{\"n\":%u,\"k%u\":true}}", n % SPANS, n,
			 n % 7);
		publications[i] = (struct publication){SLICE_LITERAL("trace:s"), slice_of(payloads[i])};
	}
	redis_server_publish_many(redis, publications, count);
	wait_number("XLEN tg:session:s", from + count);
	free(payloads);
	free(publications);
}

static void keep_body(char **ret_text)
{
	*ret_text = strndup(answer.body.bytes, answer.body.len);
	ck_assert_ptr_nonnull(*ret_text);
}

/* The id of the event so many entries from the start. */
static void id_at(unsigned n, char ret_id[48])
{
	redisReply *reply = redis_server_command(redis, "XRANGE tg:session:s - + COUNT %u", n + 1);
	ck_assert_uint_eq(reply->elements, n + 1);
	snprintf(ret_id, 48, "%s", reply->element[n]->element[0]->str);
	freeReplyObject(reply);
}

START_TEST(two_nodes_give_the_same_bytes)
{
	char query[256], part[64], *first;
	publish(0, EVENTS);
	static const unsigned moments[] = {0, 1, 49, 50, 4000, 8123, 8999};
	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
		char id[48];
		id_at(moments[i], id);
		snprintf(query, sizeof query, "session=s&at=%s&diffFrom=earliest", id);
		snprintf(part, sizeof part, "\"events\":%u", moments[i] + 1);
		get(i % 2, query, 200, part);
		keep_body(&first);
		get(1 - i % 2, query, 200, part);
		ck_assert_str_eq(first, answer.body.bytes);
		free(first);
	}
	snprintf(part, sizeof part, "\"events\":%u", EVENTS);
	get(0, "session=s", 200, part);
	snprintf(part, sizeof part, "\"n\":%u,", EVENTS - 1);
	get(1, "session=s&at=now", 200, part);
}
END_TEST

START_TEST(snapshots_are_written_live_with_the_stream_and_are_no_condition)
{
	char *first, part[64];
	snprintf(part, sizeof part, "\"events\":%u", EVENTS);
	publish(0, EVENTS);
	get(0, "session=s", 200, part);
	keep_body(&first);
	wait_number("XLEN tg:snap:s", EVENTS / 2000);
	ck_assert_int_gt(number("PTTL tg:snap:s"), 0);
	ck_assert_int_le(number("PTTL tg:snap:s"), number("PTTL tg:session:s") + 1000);
	get(1, "session=s", 200, part);
	ck_assert_str_eq(first, answer.body.bytes);
	ck_assert(gateway_metric(gateways[1], "events_folded_total", "") < 2100);
	/* Lost, damaged, of another type: the answer is the same. */
	gateway_free(gateways[1]);
	gateways[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	redis_server_do(redis, "XADD tg:snap:s 99999999999999-0 v 1 e 0123456789abcdef n 0 x 0123456789abcdef s {}");
	get(1, "session=s", 200, part);
	ck_assert_str_eq(first, answer.body.bytes);
	gateway_free(gateways[1]);
	gateways[1] = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	redis_server_do(redis, "SET tg:snap:s rubbish");
	get(1, "session=s", 200, part);
	ck_assert_str_eq(first, answer.body.bytes);
	free(first);
}
END_TEST

START_TEST(a_fold_goes_on_while_events_arrive)
{
	char part[64];
	for (unsigned i = 0; i < 20; i++) {
		publish(i * 100, 100);
		snprintf(part, sizeof part, "\"events\":%u}", (i + 1) * 100);
		get(i % 2, "session=s", 200, part);
	}
	get(0, "session=s&at=now&diffFrom=now", 200, "\"patch\":{}");
}
END_TEST

START_TEST(a_trimmed_session_says_since_when_it_knows)
{
	char id[48], part[80];
	publish(0, 1000);
	redis_server_do(redis, "XTRIM tg:session:s MAXLEN 400");
	id_at(0, id);
	snprintf(part, sizeof part, "{\"session\":\"s\",\"since\":\"%s\",", id);
	get(0, "session=s", 200, part);
	get(1, "session=s", 200, "\"events\":400}");
}
END_TEST

START_TEST(refuses_what_it_cannot_understand)
{
	get(0, "session=s&at=yesterday", 400, "\"message\":\"at: ");
	get(0, "session=s&diffFrom=", 400, "\"message\":\"diffFrom: ");
	get(0, "session=", 400, "\"message\":\"session: ");
	get(0, "session=nobody", 200, "{\"at\":\"0-0\",\"state\":{\"session\":\"nobody\",");
}
END_TEST

static void expect_reply(struct watcher *watcher, const char *part)
{
	struct watched watched;
	enum watched_kind kind;
	struct deadline deadline = deadline_in(DEADLINE_MS);
	while ((kind = watcher_next(watcher, &watched, deadline)) == WATCHED_NOTICE)
		;
	ck_assert_int_eq(kind, WATCHED_REPLY);
	ck_assert_msg(memmem(watched.json.ptr, watched.json.len, part, strlen(part)) != NULL, "%.*s", (int)watched.json.len,
		      watched.json.ptr);
}

START_TEST(answers_over_the_websocket_and_says_when_redis_is_away)
{
	struct watcher watcher;
	publish(0, 100);
	watcher_open(&watcher, gateway_port(gateways[0]), "\"channels\":[\"swarm:none\"]");
	raw_send_frame(&watcher.raw, 0x81, slice_of("{\"id\":1,\"op\":\"state\",\"session\":\"s\",\"diffFrom\":\"-1h\"}"));
	expect_reply(&watcher, "\"patch\":{\"traces\":{\"sp0\":");
	redis_server_stop(redis);
	gateway_wait_ready(gateways[0], false);
	raw_send_frame(&watcher.raw, 0x81, slice_of("{\"id\":2,\"op\":\"state\",\"session\":\"s\"}"));
	expect_reply(&watcher, "\"code\":\"unavailable\"");
	watcher_close(&watcher);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state");
	TCase *tests = tcase_create("all");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, two_nodes_give_the_same_bytes);
	tcase_add_test(tests, snapshots_are_written_live_with_the_stream_and_are_no_condition);
	tcase_add_test(tests, a_fold_goes_on_while_events_arrive);
	tcase_add_test(tests, a_trimmed_session_says_since_when_it_knows);
	tcase_add_test(tests, refuses_what_it_cannot_understand);
	tcase_add_test(tests, answers_over_the_websocket_and_says_when_redis_is_away);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
