/* Server-Sent Events from a real node: as they are published, over reconnects from node to node, to slow readers and old clients,
 * and how streams end. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec/json.h"
#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/sse_client.h"
#include "tests/support/suite.h"

#define HOST "Host: 127.0.0.1\r\n"
#define RESUMED_EVENTS 2000
#define SLOW_EVENTS (IS_SANITIZED ? 1500 : 4000)
#define SLOW_BYTES 4000
#define STREAMS 20

static struct redis_server *redis;
static struct gateway *gateway;
static struct sse_client client;
static struct sse_message message;

static void start_with(const char *const *flags)
{
	redis = redis_server_start(NULL);
	gateway = gateway_start(TEST_GATEWAY, redis_server_url(redis), flags);
}

static void start(void)
{
	start_with(NULL);
}

static void stop(void)
{
	gateway_free(gateway);
	redis_server_free(redis);
}

static void publish(const char *channel, const char *payload)
{
	redis_server_publish(redis, slice_of(channel), slice_of(payload));
}

static void publish_number(unsigned number)
{
	char payload[32];
	snprintf(payload, sizeof payload, "{\"n\":%u}", number);
	publish("trace:s1", payload);
}

/* The next event must hold that; notices (behind, live again) may come in front of it. */
static void expect_event(struct sse_client *from, const char *part)
{
	do {
		enum sse_read read = sse_client_next(from, &message, deadline_in(DEADLINE_MS));
		ck_assert_msg(read == SSE_MESSAGE, "%s instead of %s", read == SSE_END ? "the end" : "silence", part);
	} while (slice_is(message.type, "notice"));
	ck_assert_msg(slice_is(message.type, "message") && memmem(message.data.ptr, message.data.len, part, strlen(part)),
		      "%.*s %.*s instead of %s", (int)message.type.len, message.type.ptr, (int)message.data.len, message.data.ptr, part);
}

static void expect_number(struct sse_client *from, unsigned number)
{
	char part[32];
	snprintf(part, sizeof part, "\"data\":{\"n\":%u}}", number);
	expect_event(from, part);
}

/* The cursor that came with it is that of the event itself. */
static void expect_own_id(struct sse_client *from)
{
	char part[80];
	const char *dot = strchr(from->last_id, '.');
	ck_assert_msg(dot && strlen(dot) == 9, "%s is no cursor", from->last_id);
	snprintf(part, sizeof part, "{\"id\":\"%.*s\",", (int)(dot - from->last_id), from->last_id);
	struct slice data = buf_slice(&from->reader.given_data);
	ck_assert_msg(data.len > strlen(part) && memcmp(data.ptr, part, strlen(part)) == 0, "%.*s does not begin with %s", (int)data.len,
		      data.ptr, part);
}

START_TEST(a_stream_is_an_event_stream_and_lives)
{
	sse_client_open(&client, gateway_port(gateway), "/v1/events?channels=trace:*", "");
	ck_assert_ptr_nonnull(strstr(client.head, "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_nonnull(strstr(client.head, "\r\nCache-Control: no-store\r\n"));
	ck_assert_ptr_nonnull(strstr(client.head, "\r\nX-Accel-Buffering: no\r\n"));
	ck_assert(client.is_chunked);
	for (unsigned i = 1; i <= 3; i++) {
		publish("agent:a1", "{\"n\":0}");
		publish_number(i);
		expect_number(&client, i);
		expect_own_id(&client);
	}
	ck_assert_uint_eq(client.reader.retry_ms, 2000);
	ck_assert(gateway_metric(gateway, "connections", "") == 1);
	sse_client_close(&client);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "http_requests_under_way", "", 0);
}
END_TEST

static const struct {
	struct slice payload;
	const char *data; /* the end of the event */
} payloads[] = {
	{SLICE_LITERAL("a\nb"), "\"data\":\"a\\nb\",\"format\":\"text\"}"},
	{SLICE_LITERAL("a\rb"), "\"data\":\"a\\rb\",\"format\":\"text\"}"},
	{SLICE_LITERAL("\n"), "\"data\":\"\\n\",\"format\":\"text\"}"},
	{SLICE_LITERAL("x\n\ndata: fake"), "\"data\":\"x\\n\\ndata: fake\",\"format\":\"text\"}"},
	{SLICE_LITERAL("x\r\nid: 9"), "\"data\":\"x\\r\\nid: 9\",\"format\":\"text\"}"},
	{SLICE_LITERAL(" leading"), "\"data\":\" leading\",\"format\":\"text\"}"},
	{SLICE_LITERAL("\xE2\x80\xA8"), "\"data\":\"\xE2\x80\xA8\",\"format\":\"text\"}"},
	{SLICE_LITERAL("a\0b"), "\"data\":\"a\\u0000b\",\"format\":\"text\"}"},
	{SLICE_LITERAL("\xff\n\n"), "\"data\":\"/woK\",\"format\":\"base64\"}"},
	{SLICE_LITERAL("{\"a\":\n\n1,\r\n\"b\":\r2}"), "\"data\":{\"a\":\n\n1,\n\"b\":\n2}}"},
	{SLICE_LITERAL("[\n\ndata: 1\n]"), "\"data\":\"[\\n\\ndata: 1\\n]\",\"format\":\"text\"}"},
	{SLICE_LITERAL(""), "\"data\":\"\",\"format\":\"text\"}"},
};

START_TEST(no_payload_ends_its_event_or_begins_another)
{
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		redis_server_publish(redis, SLICE_LITERAL("trace:a\n\nid: 7\r\nevent: gap"), payloads[i].payload);
		sse_client_expect(&client, "message", payloads[i].data);
		struct slice data = buf_slice(&client.reader.given_data);
		size_t len = strlen(payloads[i].data);
		ck_assert(data.len > len && memcmp(data.ptr + data.len - len, payloads[i].data, len) == 0);
		ck_assert(json_is_valid(data, NULL, NULL));
		expect_own_id(&client);
	}
	sse_client_close(&client);
}
END_TEST

START_TEST(resumes_from_node_to_node_without_a_gap_or_a_double)
{
	struct gateway *other = gateway_start(TEST_GATEWAY, redis_server_url(redis), NULL);
	const char *target = "/v1/events?channels=trace:*&since=now";
	sse_client_open(&client, gateway_port(gateway), target, "");
	while (!client.last_id[0])
		ck_assert_int_eq(sse_client_next(&client, &message, deadline_in(50)), SSE_LATE);
	unsigned published = 0, seen = 0, turn = 0;
	while (seen < RESUMED_EVENTS) {
		for (unsigned i = 0; i < 40 && published < RESUMED_EVENTS; i++)
			publish_number(++published);
		/* Leaves in the middle of what is on its way, and now and then before anything came. */
		for (unsigned wanted = turn % 4 * 13; wanted && seen < published; wanted--)
			expect_number(&client, ++seen);
		sse_client_close(&client);
		sse_client_reopen(&client, gateway_port(turn++ % 2 ? gateway : other), target);
	}
	publish_number(++published);
	expect_number(&client, ++seen);
	sse_client_close(&client);
	gateway_free(other);
}
END_TEST

START_TEST(a_client_that_heard_nothing_resumes_from_where_it_began)
{
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	ck_assert_int_eq(sse_client_next(&client, &message, deadline_in(100)), SSE_LATE);
	ck_assert_str_ne(client.last_id, "");
	sse_client_close(&client);
	gateway_wait_metric(gateway, "connections", "", 0);
	for (unsigned i = 1; i <= 3; i++)
		publish_number(i);
	sse_client_reopen(&client, gateway_port(gateway), "/v1/events");
	for (unsigned i = 1; i <= 3; i++)
		expect_number(&client, i);
	sse_client_close(&client);
}
END_TEST

START_TEST(the_header_wins_over_both_parameters)
{
	char ids[3][64], target[256], field[128];
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	for (unsigned i = 0; i < 3; i++) {
		publish_number(i);
		expect_number(&client, i);
		memcpy(ids[i], client.last_id, sizeof ids[i]);
	}
	sse_client_close(&client);
	snprintf(target, sizeof target, "/v1/events?since=earliest&lastEventId=%s", ids[0]);
	sse_client_open(&client, gateway_port(gateway), target, "");
	expect_number(&client, 1);
	sse_client_close(&client);
	snprintf(field, sizeof field, "Last-Event-ID: %s\r\n", ids[1]);
	sse_client_open(&client, gateway_port(gateway), target, field);
	expect_number(&client, 2);
	sse_client_close(&client);
}
END_TEST

START_TEST(a_slow_reader_gets_everything_in_the_end_and_the_node_keeps_nothing_for_it)
{
	static char payload[SLOW_BYTES + 64];
	sse_client_open_small(&client, gateway_port(gateway), "/v1/events", "");
	for (unsigned i = 1; i <= SLOW_EVENTS; i++) {
		int len = snprintf(payload, sizeof payload, "{\"n\":%u,\"pad\":\"", i);
		memset(payload + len, 'x', SLOW_BYTES);
		snprintf(payload + len + SLOW_BYTES, sizeof payload - (size_t)len - SLOW_BYTES, "\"}");
		publish("trace:s1", payload);
	}
	gateway_wait_metric(gateway, "subscriptions_catching_up", "", 1);
	for (unsigned i = 1; i <= SLOW_EVENTS; i++) {
		char part[32];
		snprintf(part, sizeof part, "\"data\":{\"n\":%u,", i);
		expect_event(&client, part);
	}
	gateway_wait_metric(gateway, "subscriptions_catching_up", "", 0);
	sse_client_close(&client);
}
END_TEST

START_TEST(comments_keep_a_quiet_stream_alive_and_move_nothing)
{
	const char *const flags[] = {"--heartbeat.interval=200ms", "--http.timeout=300ms", "--handshake.timeout=300ms", NULL};
	char last_id[sizeof client.last_id];
	start_with(flags);
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	publish_number(1);
	expect_number(&client, 1);
	memcpy(last_id, client.last_id, sizeof last_id);
	sse_client_wait_comments(&client, 10);
	ck_assert_str_eq(client.last_id, last_id);
	publish_number(2);
	expect_number(&client, 2);
	sse_client_close(&client);
	stop();
}
END_TEST

START_TEST(what_the_filter_keeps_out_moves_the_cursor_of_a_quiet_stream)
{
	const char *const flags[] = {"--heartbeat.interval=200ms", NULL};
	char last_id[sizeof client.last_id];
	start_with(flags);
	sse_client_open(&client, gateway_port(gateway), "/v1/events?channels=agent:*", "");
	sse_client_wait_comments(&client, 1);
	memcpy(last_id, client.last_id, sizeof last_id);
	publish_number(1);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	do {
		sse_client_wait_comments(&client, client.reader.comments + 1);
		ck_assert(!deadline_has_passed(deadline));
	} while (strcmp(client.last_id, last_id) == 0);
	sse_client_close(&client);
	publish("agent:a1", "{\"n\":2}");
	sse_client_reopen(&client, gateway_port(gateway), "/v1/events");
	expect_number(&client, 2);
	sse_client_close(&client);
	stop();
}
END_TEST

START_TEST(clients_that_go_are_forgotten_at_once)
{
	struct sse_client clients[3];
	for (unsigned i = 0; i < 3; i++)
		sse_client_open(&clients[i], gateway_port(gateway), "/v1/events", "");
	gateway_wait_metric(gateway, "connections", "", 3);
	sse_client_close(&clients[0]);
	gateway_wait_metric(gateway, "connections", "", 2);
	raw_reset(&clients[1].raw);
	sse_reader_fini(&clients[1].reader);
	gateway_wait_metric(gateway, "connections", "", 1);
	publish_number(1);
	expect_number(&clients[2], 1);
	sse_client_close(&clients[2]);
	gateway_wait_metric(gateway, "subscriptions", "", 0);
}
END_TEST

START_TEST(a_client_that_takes_nothing_for_the_timeout_is_cut_off)
{
	const char *const flags[] = {"--http.timeout=300ms", NULL};
	static char payload[SLOW_BYTES];
	start_with(flags);
	sse_client_open_small(&client, gateway_port(gateway), "/v1/events", "");
	memset(payload, 'x', sizeof payload - 1);
	for (unsigned i = 0; i < 1000; i++)
		publish("trace:s1", payload);
	gateway_wait_metric(gateway, "connections", "", 0);
	gateway_wait_metric(gateway, "http_stalled_total", "", 1);
	while (sse_client_next(&client, &message, deadline_in(DEADLINE_MS)) == SSE_MESSAGE)
		continue;
	ck_assert(client.has_ended && !client.is_whole);
	sse_client_close(&client);
	stop();
}
END_TEST

START_TEST(http_1_0_gets_no_chunks_and_the_end_of_the_connection_as_the_end)
{
	raw_connect(&client.raw, gateway_port(gateway));
	raw_send_text(&client.raw, "GET /v1/events HTTP/1.0\r\n\r\n");
	sse_client_begin(&client);
	ck_assert(!client.is_chunked);
	ck_assert_ptr_nonnull(strstr(client.head, "\r\nConnection: close\r\n"));
	publish_number(1);
	expect_number(&client, 1);
	process_signal(gateway_process(gateway), SIGTERM);
	sse_client_expect(&client, "notice", "\"code\":\"draining\"");
	sse_client_expect_end(&client);
	sse_client_close(&client);
}
END_TEST

START_TEST(a_request_that_comes_byte_by_byte_is_one)
{
	static const char request[] = "GET /v1/events?channels=trace%3A*&type=a,b HTTP/1.1\r\nhost: x\r\nACCEPT: text/event-stream;q=0.5\r\n\r\n";
	raw_connect(&client.raw, gateway_port(gateway));
	for (size_t i = 0; i < sizeof request - 1; i++)
		raw_send(&client.raw, (struct slice){request + i, 1});
	sse_client_begin(&client);
	publish("trace:s1", "{\"type\":\"b\",\"n\":1}");
	sse_client_expect(&client, "message", "\"n\":1}");
	sse_client_close(&client);
}
END_TEST

START_TEST(a_connection_that_was_used_before_carries_a_stream)
{
	struct http_answer answer;
	raw_connect(&client.raw, gateway_port(gateway));
	http_ask(&client.raw, "GET /v1/events?where=%7B HTTP/1.1\r\n" HOST, NULL, &answer);
	http_expect(&answer, 400, "\"message\":\"where: ");
	http_answer_free(&answer);
	http_ask(&client.raw, "HEAD /v1/events HTTP/1.1\r\n" HOST, NULL, &answer);
	ck_assert_int_eq(answer.status, 200);
	http_answer_free(&answer);
	raw_send_text(&client.raw, "GET /v1/events HTTP/1.1\r\n" HOST "\r\n");
	sse_client_begin(&client);
	publish_number(1);
	expect_number(&client, 1);
	sse_client_close(&client);
}
END_TEST

START_TEST(origins_are_judged_as_elsewhere)
{
	const char *const flags[] = {"--cors.origins=https://app.example.com", NULL};
	struct http_answer answer;
	start_with(flags);
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "Origin: https://app.example.com\r\n");
	ck_assert_ptr_nonnull(strstr(client.head, "\r\nAccess-Control-Allow-Origin: https://app.example.com\r\n"));
	sse_client_close(&client);
	http_ask_once(gateway_port(gateway), "GET /v1/events HTTP/1.1\r\n" HOST "Origin: https://app.example.com.evil.io\r\n", NULL,
		      &answer);
	http_expect(&answer, 403, "\"origin_not_allowed\"");
	ck_assert_ptr_null(strstr(answer.head, "Access-Control-Allow-Origin"));
	http_answer_free(&answer);
	http_ask_once(gateway_port(gateway),
		      "OPTIONS /v1/events HTTP/1.1\r\n" HOST "Origin: https://app.example.com\r\n"
		      "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: last-event-id\r\n",
		      NULL, &answer);
	ck_assert_int_eq(answer.status, 204);
	ck_assert_ptr_nonnull(strstr(answer.head, "Last-Event-ID"));
	ck_assert(http_has_field(&answer, "Allow: GET, HEAD, OPTIONS"));
	http_answer_free(&answer);
	stop();
}
END_TEST

START_TEST(a_stream_is_a_connection_for_the_limits)
{
	const char *const flags[] = {"--limits.connections_per_address=2", NULL};
	struct sse_client clients[2];
	struct http_answer answer;
	start_with(flags);
	for (unsigned i = 0; i < 2; i++)
		sse_client_open(&clients[i], gateway_port(gateway), "/v1/events", "");
	http_ask_once(gateway_port(gateway), "GET /v1/events HTTP/1.1\r\n" HOST, NULL, &answer);
	http_expect(&answer, 429, "\"too_many_connections\"");
	http_answer_free(&answer);
	for (unsigned i = 0; i < 2; i++)
		sse_client_close(&clients[i]);
	gateway_wait_metric(gateway, "connections", "", 0);
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	sse_client_close(&client);
	stop();
}
END_TEST

START_TEST(while_redis_is_away_a_stream_that_resumes_waits_and_then_goes_on)
{
	const char *const flags[] = {"--history.timeout=200ms", "--history.ring_events=16", NULL};
	start_with(flags);
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	for (unsigned i = 1; i <= 100; i++)
		publish_number(i);
	expect_number(&client, 1);
	sse_client_close(&client);
	redis_server_pause(redis);
	sse_client_reopen(&client, gateway_port(gateway), "/v1/events");
	ck_assert_int_eq(sse_client_next(&client, &message, deadline_in(100)), SSE_LATE);
	redis_server_continue(redis);
	for (unsigned i = 2; i <= 100; i++)
		expect_number(&client, i);
	sse_client_close(&client);
	stop();
}
END_TEST

START_TEST(a_log_that_is_gone_is_told_on_resuming)
{
	sse_client_open(&client, gateway_port(gateway), "/v1/events", "");
	publish_number(1);
	expect_number(&client, 1);
	sse_client_close(&client);
	redis_server_stop(redis);
	redis_server_restart(redis);
	gateway_wait_ready(gateway, true);
	struct deadline deadline = deadline_in(DEADLINE_MS);
	enum sse_read read;
	do {
		sse_client_reopen(&client, gateway_port(gateway), "/v1/events");
		read = sse_client_next(&client, &message, deadline_in(200));
		bool is_gap = read == SSE_MESSAGE && slice_is(message.type, "gap");
		if (is_gap)
			ck_assert_ptr_nonnull(memmem(message.data.ptr, message.data.len, "\"reason\":\"reset\"", 16));
		sse_client_close(&client);
		read = is_gap ? SSE_MESSAGE : SSE_LATE;
		ck_assert_msg(!deadline_has_passed(deadline), "no gap is told");
	} while (read != SSE_MESSAGE);
}
END_TEST

START_TEST(draining_tells_all_and_ends_between_two_messages_although_one_does_not_read)
{
	const char *const flags[] = {"--drain.time=600ms", "--close.timeout=1s", NULL};
	struct sse_client clients[STREAMS], stalled;
	static char payload[SLOW_BYTES];
	int status;
	start_with(flags);
	sse_client_open_small(&stalled, gateway_port(gateway), "/v1/events?channels=swarm:*", "");
	memset(payload, 'x', sizeof payload - 1);
	while (gateway_metric(gateway, "subscriptions_catching_up", "") < 1)
		for (int i = 0; i < 200; i++)
			publish("swarm:1", payload);
	for (int i = 0; i < STREAMS; i++)
		sse_client_open(&clients[i], gateway_port(gateway), "/v1/events?channels=trace:*", "");
	process_signal(gateway_process(gateway), SIGTERM);
	publish_number(1);
	for (int i = 0; i < STREAMS; i++) {
		enum sse_read read = SSE_MESSAGE;
		bool is_told = false;
		while ((read = sse_client_next(&clients[i], &message, deadline_in(DEADLINE_MS))) == SSE_MESSAGE)
			is_told |= slice_is(message.type, "notice");
		ck_assert(read == SSE_END && is_told);
		sse_client_expect_end(&clients[i]);
		sse_client_close(&clients[i]);
	}
	ck_assert(process_wait(gateway_process(gateway), deadline_in(DEADLINE_MS), &status));
	ck_assert_int_eq(status, 0);
	sse_client_close(&stalled);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tests = tcase_create("events"), *others = tcase_create("other nodes");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, a_stream_is_an_event_stream_and_lives);
	tcase_add_test(tests, no_payload_ends_its_event_or_begins_another);
	tcase_add_test(tests, resumes_from_node_to_node_without_a_gap_or_a_double);
	tcase_add_test(tests, a_client_that_heard_nothing_resumes_from_where_it_began);
	tcase_add_test(tests, the_header_wins_over_both_parameters);
	tcase_add_test(tests, a_slow_reader_gets_everything_in_the_end_and_the_node_keeps_nothing_for_it);
	tcase_add_test(tests, clients_that_go_are_forgotten_at_once);
	tcase_add_test(tests, http_1_0_gets_no_chunks_and_the_end_of_the_connection_as_the_end);
	tcase_add_test(tests, a_request_that_comes_byte_by_byte_is_one);
	tcase_add_test(tests, a_connection_that_was_used_before_carries_a_stream);
	tcase_add_test(tests, a_log_that_is_gone_is_told_on_resuming);
	tcase_add_test(others, comments_keep_a_quiet_stream_alive_and_move_nothing);
	tcase_add_test(others, what_the_filter_keeps_out_moves_the_cursor_of_a_quiet_stream);
	tcase_add_test(others, a_client_that_takes_nothing_for_the_timeout_is_cut_off);
	tcase_add_test(others, origins_are_judged_as_elsewhere);
	tcase_add_test(others, a_stream_is_a_connection_for_the_limits);
	tcase_add_test(others, while_redis_is_away_a_stream_that_resumes_waits_and_then_goes_on);
	tcase_add_test(others, draining_tells_all_and_ends_between_two_messages_although_one_does_not_read);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, others);
	return suite_run(suite);
}
