/* The past over HTTP on a real node with a log: published in, read back, however slowly, and what happens when Redis fails. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway.h"
#include "tests/support/http.h"
#include "tests/support/redis_server.h"
#include "tests/support/sanitizer.h"
#include "tests/support/suite.h"
#include "tests/support/watcher.h"

#define HOST "Host: 127.0.0.1\r\n"
#define NDJSON "Accept: application/x-ndjson\r\n"
#define PUBLISH "POST /v1/publish HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
#define PUBLISH_LINES "POST /v1/publish HTTP/1.1\r\n" HOST "Content-Type: application/x-ndjson\r\n"

/* A past of about 100 MB (a fifth of it under a sanitizer, which is slow), in events of 50 kB. */
#define BIG_EVENTS (IS_SANITIZED ? 400 : 2000)
#define BIG_BYTES ((size_t)50000)
/* A sanitizer keeps what is freed for a while: then memory says nothing. */
#define GROWTH_MAX (IS_SANITIZED ? UINT64_MAX / 2 : (uint64_t)12 << 20)

static struct redis_server *redis;
static struct gateway *gateway;
static struct raw raw;
static struct http_answer answer;

static void start_with(const char *flag)
{
	const char *const flags[] = {"--history.ring_bytes=1m", "--http.timeout=10s", flag, NULL};
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

static size_t count_lines(const struct buf *text)
{
	size_t lines = 0;
	for (size_t i = 0; i < text->len; i++)
		lines += text->bytes[i] == '\n';
	return lines;
}

static void get(const char *target, const char *fields, int status, const char *part)
{
	char head[512];
	http_answer_free(&answer);
	snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" HOST "%s", target, fields);
	http_ask_once(gateway_port(gateway), head, NULL, &answer);
	http_expect(&answer, status, part);
}

static void publish_one(const char *channel, const char *data, char ret_id[64])
{
	char body[512];
	snprintf(body, sizeof body, "{\"channel\":\"%s\",\"data\":%s}", channel, data);
	http_answer_free(&answer);
	http_ask_once(gateway_port(gateway), PUBLISH, body, &answer);
	http_expect(&answer, 200, "{\"id\":\"");
	ck_assert_int_eq(sscanf(answer.body.bytes, "{\"id\":\"%63[^\"]", ret_id), 1);
	http_answer_free(&answer);
}

START_TEST(what_is_published_is_live_at_once_and_in_the_past_with_its_id)
{
	struct watcher watcher;
	struct watched watched;
	char id[64], part[256];
	watcher_open(&watcher, gateway_port(gateway), "");
	publish_one("trace:s1", "{ \"b\" : 1.0, \"a\":12345678901234567890}", id);
	ck_assert_int_eq(watcher_next(&watcher, &watched, deadline_in(DEADLINE_MS)), WATCHED_EVENT);
	snprintf(part, sizeof part, "{\"id\":\"%s\",\"channel\":\"trace:s1\",\"ts\":", id);
	ck_assert_ptr_nonnull(memmem(watched.json.ptr, watched.json.len, part, strlen(part)));
	ck_assert(slice_is(watched.data, "{ \"b\" : 1.0, \"a\":12345678901234567890}"));
	get("/v1/history?session=s1", "", 200, part);
	ck_assert_ptr_nonnull(strstr(answer.body.bytes, ",\"data\":{ \"b\" : 1.0, \"a\":12345678901234567890}}],\"next\":null}\n"));
	get("/v1/history?channels=trace:*&limit=1", NDJSON, 200, part);
	get("/v1/sessions", "", 200, "{\"sessions\":[{\"session\":\"s1\",\"first\":\"");
	http_answer_free(&answer);
	watcher_close(&watcher);
}
END_TEST

START_TEST(a_payload_of_several_lines_is_one_line_of_ndjson)
{
	char id[64];
	publish_one("trace:s1", "[1,\n2,\r\n\"3\\n\"]", id);
	get("/v1/history?session=s1", "", 200, ",\"data\":[1,\n2,\r\n\"3\\n\"]}],");
	get("/v1/history?session=s1", NDJSON, 200, ",\"data\":[1, 2,  \"3\\n\"]}\n");
	http_answer_free(&answer);
}
END_TEST

/* Sends lines in a chunked body and reads the answers of each chunk before the next one. */
static void publish_lines(unsigned lines, size_t payload_bytes)
{
	struct buf chunk, request;
	buf_init(&chunk);
	buf_init(&request);
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, PUBLISH_LINES "Transfer-Encoding: chunked\r\n\r\n");
	for (unsigned line = 0; line < lines;) {
		buf_clear(&chunk);
		for (unsigned i = 0; i < 100 && line < lines; i++, line++)
			buf_printf(&chunk, "{\"channel\":\"trace:lines\",\"data\":{\"n\":%u,\"x\":\"%0*d\"}}\n", line, (int)payload_bytes, 0);
		buf_clear(&request);
		buf_printf(&request, "%zx\r\n", chunk.len);
		buf_append_slice(&request, buf_slice(&chunk));
		buf_append_text(&request, "\r\n");
		raw_send(&raw, buf_slice(&request));
	}
	raw_send_text(&raw, "0\r\n\r\n");
	http_read(&raw, &answer);
	http_expect(&answer, 200, NULL);
	raw_close(&raw);
	buf_fini(&chunk);
	buf_fini(&request);
}

START_TEST(lines_are_published_in_order_and_read_back_in_order)
{
	publish_lines(5000, 20);
	ck_assert_uint_eq(count_lines(&answer.body), 5000);
	ck_assert_ptr_null(strstr(answer.body.bytes, "error"));
	get("/v1/history?session=lines", NDJSON, 200, NULL);
	ck_assert_uint_eq(count_lines(&answer.body), 5000);
	const char *at = answer.body.bytes;
	for (unsigned i = 0; i < 5000; i++) {
		char part[64];
		snprintf(part, sizeof part, "\"data\":{\"n\":%u,", i);
		const char *end = strchr(at, '\n');
		const char *found = strstr(at, part);
		ck_assert_msg(found && found < end, "event %u is not in its place", i);
		at = end + 1;
	}
	http_answer_free(&answer);
}
END_TEST

/* Follows "next" until there is none and counts the events. */
static size_t walk(const char *query, size_t limit)
{
	char target[256], next[128] = "";
	size_t events = 0;
	for (unsigned pages = 0; pages < 100; pages++) {
		snprintf(target, sizeof target, "/v1/history?%s&limit=%zu%s%s", query, limit, *next ? "&after=" : "", next);
		get(target, "", 200, "\"next\":");
		for (const char *at = answer.body.bytes; (at = strstr(at, "{\"id\":")); at++)
			events++;
		if (sscanf(strstr(answer.body.bytes, "\"next\":"), "\"next\":\"%127[^\"]", next) != 1)
			return events;
	}
	ck_abort_msg("next never ends");
	return 0;
}

START_TEST(pages_follow_each_other_both_ways)
{
	publish_lines(250, 1);
	http_answer_free(&answer);
	ck_assert_uint_eq(walk("session=lines", 100), 250);
	ck_assert_uint_eq(walk("session=lines&reverse=true", 100), 250);
	ck_assert_uint_eq(walk("channels=trace:*&reverse=true", 125), 250);
	get("/v1/history?session=lines&reverse&limit=1", "", 200, "{\"n\":249,");
	get("/v1/history?session=lines&where=%5B%7B%22path%22%3A%22%2Fn%22%2C%22op%22%3A%22%3C%22%2C%22value%22%3A2%7D%5D", NDJSON, 200,
	    "{\"n\":1,");
	ck_assert_uint_eq(count_lines(&answer.body), 2);
	get("/v1/history?session=lines&from=-5m&to=now", NDJSON, 200, NULL);
	ck_assert_uint_eq(count_lines(&answer.body), 250);
	get("/v1/history?session=lines&to=-5m", "", 200, "{\"events\":[],\"next\":null}\n");
	http_answer_free(&answer);
}
END_TEST

START_TEST(sessions_are_listed_page_by_page)
{
	char target[128] = "/v1/sessions?limit=10", channel[32], id[64], next[64];
	unsigned seen[40] = {0}, pages = 0;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(channel, sizeof channel, "trace:session-%02u", i);
		publish_one(channel, "1", id);
	}
	for (;; pages++) {
		ck_assert_uint_lt(pages, 100);
		get(target, "", 200, "\"next\":");
		for (unsigned i = 0; i < 40; i++) {
			char part[64];
			snprintf(part, sizeof part, "{\"session\":\"session-%02u\",", i);
			seen[i] += strstr(answer.body.bytes, part) != NULL;
		}
		if (sscanf(strstr(answer.body.bytes, "\"next\":"), "\"next\":\"%63[^\"]", next) != 1)
			break;
		snprintf(target, sizeof target, "/v1/sessions?limit=10&cursor=%s", next);
	}
	for (unsigned i = 0; i < 40; i++)
		ck_assert_msg(seen[i] >= 1, "session-%02u is not listed", i);
	http_answer_free(&answer);
}
END_TEST

/* Writes a past too big to be buffered anywhere, past the node. */
static void write_big_past(void)
{
	char *payload = malloc(BIG_BYTES);
	memset(payload, 'x', BIG_BYTES);
	for (unsigned i = 0; i < BIG_EVENTS; i += 20) {
		struct publication some[20];
		for (unsigned at = 0; at < 20; at++)
			some[at] = (struct publication){SLICE_LITERAL("trace:big"), {payload, BIG_BYTES}};
		redis_server_publish_many(redis, some, 20);
		gateway_wait_metric_at_least(gateway, "records_total", "", i + 20);
	}
	free(payload);
}

/* Asks for all of it with a small window and reads the beginning only. The answer stays open on raw. */
static void begin_slowly(void)
{
	raw_connect_small(&raw, gateway_port(gateway), 4096);
	raw_send_text(&raw, "GET /v1/history?session=big HTTP/1.1\r\n" HOST NDJSON "\r\n");
	gateway_wait_metric(gateway, "http_requests_under_way", "", 1);
	gateway_wait_metric_at_least(gateway, "events_out_total", "", 1);
}

/* The kernel's buffers are full: the number of events that went out stays the same for several looks. */
static void wait_until_stuck(void)
{
	struct deadline deadline = deadline_in(DEADLINE_MS);
	double last = -1;
	for (unsigned same = 0; same < 10;) {
		double now = gateway_metric(gateway, "events_out_total", "");
		same = now > last ? 0 : same + 1;
		last = now;
		ck_assert(deadline_next_look(deadline));
	}
}

START_TEST(a_slow_reader_of_a_big_past_costs_no_memory)
{
	write_big_past();
	/* The first read of such big entries is the one that the node learns from. */
	get("/v1/history?session=big&limit=1", "", 200, "\"next\":\"");
	http_answer_free(&answer);
	uint64_t before = process_resident_bytes(gateway_process(gateway));
	begin_slowly();
	wait_until_stuck();
	uint64_t reads = (uint64_t)gateway_metric(gateway, "log_reads_total", "");
	/* Others are served meanwhile; nothing more is read for who does not take it. */
	get("/v1/sessions", "", 200, "\"big\"");
	http_answer_free(&answer);
	uint64_t after = process_resident_bytes(gateway_process(gateway));
	ck_assert_msg(after < before + GROWTH_MAX, "%ju bytes more", (uintmax_t)(after - before));
	ck_assert_uint_eq((uint64_t)gateway_metric(gateway, "log_reads_total", ""), reads);
	http_read(&raw, &answer);
	http_expect(&answer, 200, NULL);
	ck_assert_uint_eq(count_lines(&answer.body), BIG_EVENTS);
	http_answer_free(&answer);
	after = process_resident_bytes(gateway_process(gateway));
	ck_assert_msg(after < before + GROWTH_MAX, "%ju bytes more", (uintmax_t)(after - before));
	raw_close(&raw);
}
END_TEST

START_TEST(an_answer_that_cannot_be_ended_is_cut)
{
	write_big_past();
	begin_slowly();
	redis_server_stop(redis);
	http_read(&raw, &answer);
	ck_assert_int_eq(answer.status, 200);
	ck_assert(answer.is_chunked && !answer.is_whole);
	http_answer_free(&answer);
	raw_close(&raw);
	gateway_wait_metric(gateway, "http_answers_cut_total", "", 1);
	get("/v1/history?session=big", "", 503, "unavailable");
	http_answer_free(&answer);
	http_ask_once(gateway_port(gateway), PUBLISH, "{\"channel\":\"trace:s1\",\"data\":1}", &answer);
	http_expect(&answer, 503, "unavailable");
	ck_assert(http_has_field(&answer, "Retry-After: 2"));
	http_answer_free(&answer);
}
END_TEST

START_TEST(who_leaves_stops_the_reading)
{
	write_big_past();
	begin_slowly();
	raw_reset(&raw);
	gateway_wait_metric(gateway, "http_requests_under_way", "", 0);
}
END_TEST

START_TEST(who_takes_nothing_for_too_long_is_cut_off)
{
	stop();
	start_with("--http.timeout=150ms");
	write_big_past();
	begin_slowly();
	gateway_wait_metric(gateway, "http_stalled_total", "", 1);
	gateway_wait_metric(gateway, "http_requests_under_way", "", 0);
	http_read(&raw, &answer);
	ck_assert(answer.is_chunked && !answer.is_whole);
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

START_TEST(an_answer_under_way_is_finished_while_the_node_drains)
{
	stop();
	start_with("--drain.time=20s");
	write_big_past();
	begin_slowly();
	process_signal(gateway_process(gateway), SIGTERM);
	http_read(&raw, &answer);
	http_expect(&answer, 200, NULL);
	ck_assert_uint_eq(count_lines(&answer.body), BIG_EVENTS);
	http_answer_free(&answer);
	raw_expect_end(&raw);
	raw_close(&raw);
	gateway_end(gateway);
	gateway = NULL;
}
END_TEST

START_TEST(a_redis_that_does_not_answer_is_a_timeout)
{
	stop();
	start_with("--history.timeout=200ms");
	redis_server_pause(redis);
	get("/v1/history?session=s1", "", 504, "timeout");
	http_answer_free(&answer);
	redis_server_continue(redis);
	gateway_wait_ready(gateway, true);
	get("/v1/history?session=s1", "", 200, "\"next\":null");
	http_answer_free(&answer);
}
END_TEST

START_TEST(http_1_0_gets_the_past_without_chunks)
{
	publish_lines(300, 1000);
	http_answer_free(&answer);
	raw_connect(&raw, gateway_port(gateway));
	raw_send_text(&raw, "GET /v1/history?session=lines HTTP/1.0\r\n" NDJSON "\r\n");
	http_read(&raw, &answer);
	http_expect(&answer, 200, NULL);
	ck_assert(!answer.is_chunked);
	ck_assert_uint_eq(count_lines(&answer.body), 300);
	http_answer_free(&answer);
	raw_close(&raw);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http history");
	TCase *tests = tcase_create("http history");
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, what_is_published_is_live_at_once_and_in_the_past_with_its_id);
	tcase_add_test(tests, a_payload_of_several_lines_is_one_line_of_ndjson);
	tcase_add_test(tests, lines_are_published_in_order_and_read_back_in_order);
	tcase_add_test(tests, pages_follow_each_other_both_ways);
	tcase_add_test(tests, sessions_are_listed_page_by_page);
	tcase_add_test(tests, a_slow_reader_of_a_big_past_costs_no_memory);
	tcase_add_test(tests, an_answer_that_cannot_be_ended_is_cut);
	tcase_add_test(tests, who_leaves_stops_the_reading);
	tcase_add_test(tests, who_takes_nothing_for_too_long_is_cut_off);
	tcase_add_test(tests, an_answer_under_way_is_finished_while_the_node_drains);
	tcase_add_test(tests, a_redis_that_does_not_answer_is_a_timeout);
	tcase_add_test(tests, http_1_0_gets_the_past_without_chunks);
	suite_add_tcase(suite, tests);
	return suite_run(suite);
}
